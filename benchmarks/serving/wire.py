"""Requests and answers as bytes, in TensorFlow Serving's protocol and in the open inference one.

Source of the second, which KServe, MLServer and Triton speak: the Open Inference Protocol, V2,
``open_inference_grpc.proto``. Its messages are written and read here by protobuf's wire format, so
that no server's own package is needed.
"""

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.serving.models import Model, Row

_BYTES = 2
_RAW_INPUTS, _RAW_OUTPUTS = 7, 6


@dataclass(frozen=True)
class Protocol:
    """Paths and messages for one model."""

    grpc_path: str
    grpc_message: bytes
    rest_path: str
    rest_body: bytes

    @property
    def grpc_frame(self) -> bytes:
        """The message as gRPC sends it, uncompressed."""
        return struct.pack(">BI", 0, len(self.grpc_message)) + self.grpc_message

    def grpc_answer(self, message: bytes) -> Row:
        """The numbers of a gRPC answer. Raises ValueError if there are none."""
        raise NotImplementedError

    def rest_answer(self, body: bytes) -> Row:
        """The numbers of a REST answer. Raises ValueError if there are none."""
        raise NotImplementedError


class TensorFlowServing(Protocol):
    """``tensorflow.serving.PredictionService/Predict`` and ``/v1/models``."""

    def grpc_answer(self, message: bytes) -> Row:
        from tensorflow_serving.apis.predict_pb2 import PredictResponse

        output = PredictResponse.FromString(message).outputs["y"]
        if output.tensor_content:
            return np.frombuffer(output.tensor_content, np.float32)
        return np.array(output.float_val, np.float32)

    def rest_answer(self, body: bytes) -> Row:
        return np.array(json.loads(body).get("predictions", []), np.float32).ravel()


class OpenInference(Protocol):
    """``inference.GRPCInferenceService/ModelInfer`` and ``/v2/models``."""

    def grpc_answer(self, message: bytes) -> Row:
        fields = list(_fields(message))
        for number, value in fields:
            if number == _RAW_OUTPUTS:
                return np.frombuffer(value, np.float32)
        # outputs.contents.fp32_contents
        outputs = [value for number, value in fields if number == 5]
        contents = [value for number, value in _fields(outputs[0]) if number == 5]
        floats = [value for number, value in _fields(contents[0]) if number == 6]
        return np.frombuffer(floats[0], np.float32)

    def rest_answer(self, body: bytes) -> Row:
        outputs = json.loads(body).get("outputs", [{"data": []}])
        return np.array(outputs[0]["data"], np.float32).ravel()


def tensorflow_serving(model: Model) -> Protocol:
    """Asks for the default signature."""
    import json

    from tensorflow_serving.apis.predict_pb2 import PredictRequest

    request = PredictRequest(model_spec={"name": model.name})
    tensor = request.inputs["x"]
    tensor.dtype = 1
    for size in model.row.shape:
        tensor.tensor_shape.dim.add(size=size)
    tensor.tensor_content = model.row.tobytes()
    return TensorFlowServing(
        "/tensorflow.serving.PredictionService/Predict",
        request.SerializeToString(),
        f"/v1/models/{model.name}:predict",
        json.dumps({"instances": model.row.tolist()}).encode(),
    )


def open_inference(model: Model) -> Protocol:
    """Asks with raw contents over gRPC and a flat list of numbers over REST."""
    shape = list(model.row.shape)
    packed = b"".join(_varint(size) for size in shape)
    given = _field(1, b"x") + _field(2, b"FP32") + _field(3, packed)
    message = (
        _field(1, model.name.encode()) + _field(5, given) + _field(_RAW_INPUTS, model.row.tobytes())
    )
    data = model.row.ravel().tolist()
    tensor = {"name": "x", "datatype": "FP32", "shape": shape, "data": data}
    return OpenInference(
        "/inference.GRPCInferenceService/ModelInfer",
        message,
        f"/v2/models/{model.name}/infer",
        json.dumps({"inputs": [tensor]}).encode(),
    )


def _field(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | _BYTES) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(message):
        tag, at = _read(message, at)
        size, at = _read(message, at)
        if tag & 7 != _BYTES:
            # A number, which no answer needs.
            continue
        yield tag >> 3, message[at : at + size]
        at += size


def _read(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at
