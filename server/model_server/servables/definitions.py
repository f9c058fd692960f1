"""The SignatureDefs of a servable: its own where it has some, else made of its signatures."""

from typing import Any

from tensorflow.core.framework.tensor_shape_pb2 import TensorShapeProto
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef, TensorInfo
from tensorflow_serving.apis.get_model_metadata_pb2 import SignatureDefMap

from model_server.servables import tensors
from model_server.servables.platform import Servable
from model_server.servables.signature import Signature, TensorSpec


def signature_defs(servable: Servable) -> SignatureDefMap:
    """All signatures of a servable by name."""
    own: dict[str, Any] | None = getattr(servable, "signature_defs", None)
    definitions = SignatureDefMap()
    if own is None:
        own = {name: definition_of(signature) for name, signature in servable.signatures.items()}
    for name, definition in own.items():
        definitions.signature_def[name].CopyFrom(definition)
    return definitions


def definition_of(signature: Signature) -> SignatureDef:
    """The SignatureDef that says what a signature says."""
    definition = SignatureDef(method_name=signature.method_name)
    for alias, spec in signature.inputs.items():
        definition.inputs[alias].CopyFrom(_info(spec))
    for alias, spec in signature.outputs.items():
        definition.outputs[alias].CopyFrom(_info(spec))
    for alias, default in signature.defaults.items():
        tensors.encode(default, definition.defaults[alias])
    return definition


def _info(spec: TensorSpec) -> TensorInfo:
    shape = TensorShapeProto(unknown_rank=spec.shape is None)
    for size in spec.shape or ():
        shape.dim.add().size = size
    return TensorInfo(name=spec.name, dtype=spec.dtype.number, tensor_shape=shape)
