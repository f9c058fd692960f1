"""KServe's Python server for the model MODEL_NAME at MODEL_FOLDER; flags are KServe's."""

import functools
import os

import kserve
from kserve.protocol.infer_type import InferOutput, InferResponse


@functools.cache
def call():
    """Made by each worker when it is first asked: a model that travels to it cannot hold one.

    TensorFlow is imported only then, because workers that take 5 seconds to start are ended.
    """
    import tensorflow_call

    return tensorflow_call.call_of(os.environ["MODEL_FOLDER"])


class TensorFlowModel(kserve.Model):
    """Runs rows in the event loop's thread, which is quicker for small models than a pool."""

    def load(self):
        """See kserve.Model."""
        self.ready = True
        return True

    async def predict(self, payload, headers=None, response_headers=None):
        """Takes both protocols' requests as an InferRequest."""
        rows = call()(payload.inputs[0].as_numpy())
        output = InferOutput("y", list(rows.shape), "FP32")
        output.set_data_from_numpy(rows, binary_data=payload.from_grpc)
        return InferResponse(payload.id or "1", self.name, [output], from_grpc=payload.from_grpc)


if __name__ == "__main__":
    model = TensorFlowModel(os.environ["MODEL_NAME"])
    model.load()
    kserve.ModelServer().start([model])
