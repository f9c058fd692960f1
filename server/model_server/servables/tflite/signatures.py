"""What can be called in a TensorFlow Lite model, read from its flatbuffer.

Source: TensorFlow Serving ``servables/tensorflow/tflite_session.cc`` and TensorFlow
``lite/tools/signature``, which keep whole SignatureDefs in a metadata buffer; the signatures that
converters since TensorFlow 2.5 write are a table of their own in ``lite/schema/schema.fbs``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ai_edge_litert import schema_py_generated as schema
from flatbuffers import flexbuffers
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef

from model_server.core.errors import Code, ServingError
from model_server.servables import dtypes
from model_server.servables.definitions import definition_of
from model_server.servables.dtypes import DType
from model_server.servables.signature import DEFAULT_SIGNATURE, Signature, TensorSpec
from model_server.servables.tflite import soundness

_METADATA = "signature_defs_metadata"
_FLEX = "Flex"

TYPES: dict[int, DType] = {
    schema.TensorType.FLOAT32: dtypes.FLOAT,
    schema.TensorType.FLOAT16: dtypes.HALF,
    schema.TensorType.FLOAT64: dtypes.DOUBLE,
    schema.TensorType.INT8: dtypes.INT8,
    schema.TensorType.INT16: dtypes.INT16,
    schema.TensorType.INT32: dtypes.INT32,
    schema.TensorType.INT64: dtypes.INT64,
    schema.TensorType.UINT8: dtypes.UINT8,
    schema.TensorType.UINT16: dtypes.UINT16,
    schema.TensorType.UINT32: dtypes.UINT32,
    schema.TensorType.UINT64: dtypes.UINT64,
    schema.TensorType.BOOL: dtypes.BOOL,
    schema.TensorType.STRING: dtypes.STRING,
    schema.TensorType.COMPLEX64: dtypes.COMPLEX64,
    schema.TensorType.COMPLEX128: dtypes.COMPLEX128,
}
_TYPE_NAMES = {
    number: name for name, number in vars(schema.TensorType).items() if isinstance(number, int)
}


@dataclass(frozen=True)
class LiteSignature:
    """A signature, its SignatureDef, and the indices of its tensors by alias.

    ``runner`` is the key by which the interpreter knows it; None where its tensors are the main
    subgraph's, which needs no key.
    """

    signature: Signature
    definition: SignatureDef
    inputs: Mapping[str, int]
    outputs: Mapping[str, int]
    runner: str | None = None


def signatures_of(content: bytes, *, listed: bool = True) -> dict[str, LiteSignature]:
    """What a whole flatbuffer offers, by name.

    SignatureDefs in the metadata come first, then, if ``listed``, the signatures of the schema; a
    model with neither has one made of its inputs and outputs, as TensorFlow Serving does.

    Raises ServingError: INVALID_ARGUMENT where they do not fit the model, UNIMPLEMENTED for types
    that no request can carry.
    """
    try:
        model = schema.Model.GetRootAs(content)
        soundness.check(model)
        graphs = [_tensors(model.Subgraphs(at)) for at in range(model.SubgraphsLength())]
        main = _Main(model.Subgraphs(0), graphs[0])
        definitions = _metadata(model)
        if definitions:
            return {name: main.described(name, each) for name, each in definitions.items()}
        of_schema = _listed(model, graphs) if listed else {}
        return of_schema or {DEFAULT_SIGNATURE: main.mock()}
    except (soundness.Unsound, AttributeError, UnicodeDecodeError) as error:
        raise _invalid(f"The TfLite model is not sound: {error}") from error


def custom_operations(content: bytes) -> frozenset[str]:
    """The names of the operations in a whole flatbuffer that are not TensorFlow Lite's own."""
    model = schema.Model.GetRootAs(content)
    codes = [model.OperatorCodes(at) for at in range(model.OperatorCodesLength())]
    return frozenset((code.CustomCode() or b"").decode() for code in codes) - {""}


def operations_of_tensorflow(content: bytes) -> list[str]:
    """The names of TensorFlow's operations in a whole flatbuffer, sorted."""
    names = custom_operations(content)
    return sorted(name.removeprefix(_FLEX) for name in names if name.startswith(_FLEX))


class _Main:
    """The inputs and outputs of the main subgraph by tensor name: their indices and tensors."""

    def __init__(self, graph: Any, tensors: list[Any]) -> None:
        self._tensors = tensors
        inputs = [graph.Inputs(at) for at in range(graph.InputsLength())]
        outputs = [graph.Outputs(at) for at in range(graph.OutputsLength())]
        self._inputs = {_name(tensors[index]): index for index in inputs}
        self._outputs = {_name(tensors[index]): index for index in outputs}
        for word, indices, names in (
            ("Input", inputs, self._inputs),
            ("Output", outputs, self._outputs),
        ):
            for index in indices:
                name = _name(tensors[index])
                if not name:
                    raise _invalid(f"{word} name missing for tensor index: {index}")
                if names[name] != index:
                    raise _invalid(f"{word} tensor name: {name} has multiple indices")

    def mock(self) -> LiteSignature:
        """A signature of all tensors, by their names without the ``:0`` of TensorFlow."""
        inputs = {_stripped(name): index for name, index in self._inputs.items()}
        outputs = {_stripped(name): index for name, index in self._outputs.items()}
        return _made(DEFAULT_SIGNATURE, self._tensors, inputs, outputs)

    def described(self, name: str, definition: SignatureDef) -> LiteSignature:
        """The signature that a SignatureDef of the metadata describes."""
        fixed = SignatureDef()
        fixed.CopyFrom(definition)
        inputs = _found("input", fixed.inputs, self._inputs)
        outputs = _found("output", fixed.outputs, self._outputs)
        signature = Signature(
            name,
            _specs(self._tensors, inputs),
            _specs(self._tensors, outputs),
            fixed.method_name,
        )
        return LiteSignature(signature, fixed, inputs, outputs)


def _found(word: str, infos: Mapping[str, Any], known: Mapping[str, int]) -> dict[str, int]:
    """The tensors of a SignatureDef by alias; their names in it become the model's."""
    for alias, info in infos.items():
        if info.name not in known:
            # Converters of TensorFlow 1 cut the ":0" off the tensors, but not off the signature.
            info.name = _stripped(legacy := info.name)
            if info.name not in known:
                raise _invalid(
                    f"Unknown tensor '{legacy}'. Signature {word} {alias} references an unknown"
                    " tensor"
                )
    return {alias: known[info.name] for alias, info in sorted(infos.items())}


def _metadata(model: Any) -> dict[str, SignatureDef]:
    for at in range(model.MetadataLength()):
        entry = model.Metadata(at)
        if entry.Name() == _METADATA.encode():
            content = model.Buffers(entry.Buffer()).DataAsNumpy()
            try:
                entries = flexbuffers.GetRoot(bytearray(content)).AsMap
                return {
                    str(key.AsKey): SignatureDef.FromString(bytes(value.AsStringBytes))
                    for key, value in zip(entries.Keys, entries.Values, strict=True)
                }
            except Exception as error:
                # Nothing verifies a flexbuffer, so that its reader fails as it happens to.
                raise _invalid(f"Invalid SignatureDefs found in TfLite model: {error}") from error
    return {}


def _listed(model: Any, graphs: list[list[Any]]) -> dict[str, LiteSignature]:
    found = {}
    for at in range(model.SignatureDefsLength()):
        listed = model.SignatureDefs(at)
        name = listed.SignatureKey().decode()
        inputs = [listed.Inputs(at) for at in range(listed.InputsLength())]
        outputs = [listed.Outputs(at) for at in range(listed.OutputsLength())]
        found[name] = _made(
            name,
            graphs[listed.SubgraphIndex()],
            {each.Name().decode(): each.TensorIndex() for each in inputs},
            {each.Name().decode(): each.TensorIndex() for each in outputs},
            None if listed.SubgraphIndex() == 0 else name,
        )
    return found


def _made(
    name: str,
    tensors: list[Any],
    inputs: Mapping[str, int],
    outputs: Mapping[str, int],
    runner: str | None = None,
) -> LiteSignature:
    signature = Signature(name, _specs(tensors, inputs), _specs(tensors, outputs))
    return LiteSignature(signature, definition_of(signature), inputs, outputs, runner)


def _specs(tensors: list[Any], indices: Mapping[str, int]) -> dict[str, TensorSpec]:
    return {alias: _spec(tensors[index]) for alias, index in sorted(indices.items())}


def _spec(tensor: Any) -> TensorSpec:
    dtype = TYPES.get(tensor.Type())
    if dtype is None:
        kind = _TYPE_NAMES.get(tensor.Type(), tensor.Type())
        raise ServingError(
            Code.UNIMPLEMENTED, f"tensor {_name(tensor)} has the unknown TfLite type: {kind}"
        )
    sizes = tensor.ShapeSignatureLength()
    shape = tuple(max(tensor.ShapeSignature(at), -1) for at in range(sizes)) or _shape(tensor)
    return TensorSpec(_name(tensor), dtype, shape)


def _tensors(graph: Any) -> list[Any]:
    return [graph.Tensors(at) for at in range(graph.TensorsLength())]


def _shape(tensor: Any) -> tuple[int, ...]:
    return tuple(tensor.Shape(at) for at in range(tensor.ShapeLength()))


def _name(tensor: Any) -> str:
    return (tensor.Name() or b"").decode()


def _stripped(name: str) -> str:
    return name.partition(":")[0]


def _invalid(message: str) -> ServingError:
    return ServingError(Code.INVALID_ARGUMENT, message)
