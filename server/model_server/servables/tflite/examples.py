"""tf.Examples as the input of TensorFlow Lite models: TensorFlow parses them before the model runs.

TensorFlow Serving gives TensorFlow Lite an operation that parses them; LiteRT has none. So it is
taken out of the model, whose inputs become the features instead.
Source: TensorFlow ``lite/kernels/parse_example`` and ``core/ops/parsing_ops.cc``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import flatbuffers
import numpy as np
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from tensorflow.core.protobuf import config_pb2
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef, TensorInfo

from model_server.servables.dtypes import STRING
from model_server.servables.saved_model.model import SavedModel
from model_server.servables.signature import Tensor
from model_server.servables.tflite.signatures import TYPES, custom_operations

_ONE_BY_ONE = frozenset({"ParseExample", "FlexParseExample"})
_LISTED = frozenset({"ParseExampleV2", "FlexParseExampleV2"})


@dataclass(frozen=True)
class Dense:
    """A feature of so many values: its key, its default (without values if it must be there)."""

    key: bytes
    default: Tensor
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Sparse:
    """A feature of any number of values: its key and type."""

    key: bytes
    dtype: Any


@dataclass(frozen=True)
class Parsing:
    """An operation that was taken out: from which tensor to which, in the operation's order."""

    serialized: int
    sparse: tuple[Sparse, ...]
    dense: tuple[Dense, ...]
    outputs: tuple[int, ...]


def without_parsing(content: bytes) -> tuple[bytes, tuple[Parsing, ...]]:
    """A whole flatbuffer without the operations of its main subgraph that parse its inputs.

    Raises ValueError or IndexError where their tensors do not make sense.
    """
    if not custom_operations(content) & (_ONE_BY_ONE | _LISTED):
        return content, ()
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content))
    graph = model.subgraphs[0]
    found = tuple(filter(None, (_parsing(model, graph, each) for each in graph.operators or ())))
    if not found:
        return content, ()
    taken = {index for each in found for index in each.outputs}
    graph.operators = [each for each in graph.operators if not taken & set(each.outputs)]
    used = {index for each in graph.operators for index in each.inputs}
    parsed = {each.serialized for each in found} - used
    graph.inputs = [index for index in graph.inputs if index not in parsed] + sorted(taken)
    # They name the inputs that were; those of the main subgraph are not used.
    model.signatureDefs = [each for each in model.signatureDefs or () if each.subgraphIndex]
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output()), found


def _parsing(model: Any, graph: Any, operator: Any) -> Parsing | None:
    name = (model.operatorCodes[operator.opcodeIndex].customCode or b"").decode()
    if name not in _LISTED | _ONE_BY_ONE or operator.inputs[0] not in graph.inputs:
        return None
    inputs = [graph.tensors[index] for index in operator.inputs]
    outputs = [graph.tensors[index] for index in operator.outputs]
    if name in _LISTED:
        sparse_keys, dense_keys, ragged_keys = (_constant(model, each) for each in inputs[2:5])
        if ragged_keys.size:
            return None
        defaults = inputs[5:]
    else:
        # Each sparse feature has one input and three outputs, each dense one two and one.
        sparse_count = (2 * len(outputs) - (len(inputs) - 2)) // 5
        dense_count = len(outputs) - 3 * sparse_count
        keys = [_constant(model, each).item() for each in inputs[2 : len(inputs) - dense_count]]
        sparse_keys, dense_keys = np.split(np.array(keys, object), [sparse_count])
        defaults = inputs[len(inputs) - dense_count :]
    values = outputs[len(sparse_keys) : 2 * len(sparse_keys)]
    dense = zip(dense_keys, defaults, outputs[3 * len(sparse_keys) :], strict=True)
    return Parsing(
        int(operator.inputs[0]),
        tuple(Sparse(key, TYPES[t.type]) for key, t in zip(sparse_keys, values, strict=True)),
        tuple(Dense(key, _constant(model, default), _row(out)) for key, default, out in dense),
        tuple(int(index) for index in operator.outputs),
    )


class ExampleParser:
    """Does in a session of TensorFlow what one operation did."""

    def __init__(self, parsing: Parsing) -> None:
        self.serialized = parsing.serialized
        self._outputs = parsing.outputs
        graph = tf.Graph()
        with graph.as_default():
            serialized = tf.compat.v1.placeholder(tf.string, name="serialized")
            found = _parsed(serialized, parsing)
        # In the thread that calls.
        config = config_pb2.ConfigProto(inter_op_parallelism_threads=-1)
        definition = SignatureDef()
        definition.inputs["serialized"].CopyFrom(_info(serialized))
        for place, tensor in enumerate(found):
            definition.outputs[str(place)].CopyFrom(_info(tensor))
        session = tf.compat.v1.Session(graph=graph, config=config)
        self._model = SavedModel(session, {"parse": definition})

    def run(self, serialized: Tensor) -> dict[int, Tensor]:
        """The features by tensor index.

        Raises ServingError, INVALID_ARGUMENT, for Examples that do not parse or miss a feature.
        """
        places = [str(place) for place in range(len(self._outputs))]
        signature = self._model.signatures["parse"]
        found = self._model.run(signature, {"serialized": serialized}, places)
        return dict(zip(self._outputs, found, strict=True))

    def close(self) -> None:
        """Gives the session's memory back."""
        self._model.close()


def _parsed(serialized: Any, parsing: Parsing) -> Sequence[Any]:
    found = tf.raw_ops.ParseExampleV2(
        serialized=serialized,
        names=[],
        sparse_keys=[each.key for each in parsing.sparse],
        dense_keys=[each.key for each in parsing.dense],
        ragged_keys=[],
        dense_defaults=[_default(each.default) for each in parsing.dense],
        num_sparse=len(parsing.sparse),
        sparse_types=[each.dtype.number for each in parsing.sparse],
        ragged_value_types=[],
        ragged_split_types=[],
        dense_shapes=[[None if n < 0 else n for n in each.shape] for each in parsing.dense],
    )
    return [*found.sparse_indices, *found.sparse_values, *found.sparse_shapes, *found.dense_values]


def _default(value: Tensor) -> Any:
    return tf.constant(value, tf.string if value.dtype == STRING.numpy else None)


def _info(tensor: Any) -> TensorInfo:
    return TensorInfo(
        name=tensor.name,
        dtype=tensor.dtype.as_datatype_enum,
        tensor_shape=tensor.shape.as_proto(),
    )


def _row(tensor: Any) -> tuple[int, ...]:
    shape = tensor.shape if tensor.shapeSignature is None else tensor.shapeSignature
    return tuple(int(size) for size in shape[1:])


def _constant(model: Any, tensor: Any) -> Tensor:
    content = model.buffers[tensor.buffer].data
    data = b"" if content is None else bytes(bytearray(content))
    shape = () if tensor.shape is None else tuple(int(size) for size in tensor.shape)
    dtype = TYPES[tensor.type]
    if dtype is not STRING:
        return np.frombuffer(data, dtype.numpy).reshape(shape)
    # How TensorFlow Lite keeps strings: their number, where each begins, where the last ends.
    count = int(np.frombuffer(data, "<i4", 1)[0]) if data else 0
    places = np.frombuffer(data, "<i4", count + 1, 4) if data else np.zeros(1, np.int32)
    strings = np.empty(count, STRING.numpy)
    strings[:] = [data[begin:end] for begin, end in pairwise(places)]
    return strings.reshape(shape)
