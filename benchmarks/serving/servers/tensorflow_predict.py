"""PredictionService/Predict without checks, limits and metrics, the same for every transport."""

import numpy as np
import tensorflow_call
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse

PATH = "/tensorflow.serving.PredictionService/Predict"


def predict_of(folder, name):
    """A function of a PredictRequest that returns a PredictResponse."""
    call = tensorflow_call.call_of(folder)

    def predict(request):
        tensor = request.inputs["x"]
        shape = [dim.size for dim in tensor.tensor_shape.dim]
        rows = call(np.frombuffer(tensor.tensor_content, np.float32).reshape(shape))
        response = PredictResponse()
        response.model_spec.name = name
        output = response.outputs["y"]
        output.dtype = types_pb2.DT_FLOAT
        for size in rows.shape:
            output.tensor_shape.dim.add(size=size)
        output.float_val.extend(rows.ravel())
        return response

    return predict


def bytes_of(folder, name):
    """The same of messages as bytes."""
    predict = predict_of(folder, name)
    return lambda message: predict(PredictRequest.FromString(message)).SerializeToString()
