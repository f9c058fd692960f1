"""A runtime of MLServer."""

import tensorflow_call
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceResponse


class TensorFlowModel(MLModel):
    """Runs rows in the event loop's thread."""

    async def load(self):
        """Called once."""
        self._call = tensorflow_call.call_of(self.settings.parameters.uri)
        return True

    async def predict(self, payload):
        """Takes an InferenceRequest."""
        rows = self._call(NumpyCodec.decode_input(payload.inputs[0]))
        return InferenceResponse(
            model_name=self.name, outputs=[NumpyCodec.encode_output("y", rows)]
        )
