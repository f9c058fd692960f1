"""Which variables of a SavedModel its signatures reach, and where the checkpoint has their values.

Pure protobuf, for SavedModels written by TensorFlow 2: their restore operation is a function of
``RestoreV2``, ``Identity`` and ``AssignVariableOp``. Two habits of Keras 3 make that worth knowing:
``model.export()`` stores each variable twice, of which signatures read one; and after
``tf.saved_model.save(model)`` signatures read variables that the restore operation does not fill,
because it fills copies of them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tensorflow.python.framework.tensor_util import MakeNdarray

# What the restore function of a model with nothing but variables consists of.
_PLAIN_RESTORE = frozenset({"Const", "Identity", "NoOp", "RestoreV2", "AssignVariableOp"})
_FORWARDS = frozenset({"Identity", "ReadVariableOp"})
_INITIALISATIONS = frozenset({"saved_model_main_op", "legacy_init_op"})


@dataclass(frozen=True)
class Stored:
    """A variable's node, and the key of its value in the checkpoint."""

    node: str
    key: str


@dataclass(frozen=True)
class Restore:
    """How to fill the variables that signatures reach.

    reached: each with the key the restore operation uses for it.
    copies: those it does not fill, each with the key it uses for a copy of them.
    lost: nodes of variables that nothing fills.
    plain: whether the restore operation does nothing else than fill variables, so that it need not
        run.
    """

    reached: tuple[Stored, ...]
    copies: tuple[Stored, ...]
    lost: tuple[str, ...]
    plain: bool


def restore_of(meta_graph: Any) -> Restore | None:
    """How to restore a MetaGraphDef; None where only its own restore operation knows.

    That is so for SavedModels in the form of TensorFlow 1, and for variables inside functions.
    """
    nodes = {node.name: node for node in meta_graph.graph_def.node}
    functions = {each.signature.name: each for each in meta_graph.graph_def.library.function}
    call = nodes.get(_node_of(meta_graph.saver_def.restore_op_name))
    function = functions.get(call.attr["f"].func.name) if call is not None else None
    if call is None or function is None:
        return None
    if any(node.op == "VarHandleOp" for each in functions.values() for node in each.node_def):
        return None
    keys = _keys(nodes, call, function)
    copied = _copied(nodes, keys)
    reached = sorted(_reached(nodes, meta_graph))
    assigned = _assigned(nodes, reached)
    resources = [
        (name, _resource(nodes[name])) for name in reached if nodes[name].op == "VarHandleOp"
    ]
    return Restore(
        reached=tuple(Stored(name, keys[held]) for name, held in resources if held in keys),
        copies=tuple(
            Stored(name, copied[held])
            for name, held in resources
            if held not in keys and held in copied
        ),
        lost=tuple(
            name for name, held in resources if held not in keys | copied and held not in assigned
        ),
        plain=all(node.op in _PLAIN_RESTORE for node in function.node_def),
    )


# A variable is what its handle names, and several nodes may name the same.
_Resource = tuple[bytes, bytes]


def _resource(node: Any) -> _Resource:
    return node.attr["container"].s, node.attr["shared_name"].s or node.name.encode()


def _node_of(tensor: str) -> str:
    return tensor.removeprefix("^").partition(":")[0]


def _keys(nodes: Mapping[str, Any], call: Any, function: Any) -> dict[_Resource, str]:
    """The key of each variable that the restore function fills from a whole stored tensor."""
    body = {node.name: node for node in function.node_def}
    arguments = dict(
        zip((each.name for each in function.signature.input_arg), call.input, strict=False)
    )
    keys: dict[_Resource, str] = {}
    for node in function.node_def:
        if node.op != "AssignVariableOp":
            continue
        handle = nodes.get(_node_of(arguments.get(node.input[0], "")))
        key = _key(body, node.input[1])
        if handle is not None and handle.op == "VarHandleOp" and key is not None:
            keys[_resource(handle)] = key
    return keys


def _key(body: Mapping[str, Any], value: str) -> str | None:
    node = body.get(_node_of(value))
    while node is not None and node.op == "Identity":
        value = node.input[0]
        node = body.get(_node_of(value))
    if node is None or node.op != "RestoreV2":
        return None
    position = int(value.rpartition(":")[2])
    names = MakeNdarray(body[_node_of(node.input[1])].attr["value"].tensor)
    slices = MakeNdarray(body[_node_of(node.input[2])].attr["value"].tensor)
    if slices[position]:
        return None
    key: str = names[position].decode()
    return key


def _copied(nodes: Mapping[str, Any], keys: Mapping[_Resource, str]) -> dict[_Resource, str]:
    """The key of each variable whose value initialises one that the restore function fills."""
    copied: dict[_Resource, str] = {}
    for node in nodes.values():
        if node.op != "AssignVariableOp":
            continue
        copy, original = nodes.get(_node_of(node.input[0])), nodes.get(_node_of(node.input[1]))
        while original is not None and original.op in _FORWARDS:
            original = nodes.get(_node_of(original.input[0]))
        if copy is None or original is None or original.op != "VarHandleOp":
            continue
        key = keys.get(_resource(copy))
        if key is not None and original.attr["dtype"].type == copy.attr["dtype"].type:
            copied[_resource(original)] = key
    return copied


def _reached(nodes: Mapping[str, Any], meta_graph: Any) -> set[str]:
    """The nodes that signatures need; the one that initialises tables and assets is one of them."""
    waiting = [
        _node_of(info.name)
        for signature in meta_graph.signature_def.values()
        for info in signature.outputs.values()
    ]
    for name in _INITIALISATIONS & meta_graph.collection_def.keys():
        waiting.extend(map(_node_of, meta_graph.collection_def[name].node_list.value))
    reached: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in nodes and name not in reached:
            reached.add(name)
            waiting.extend(map(_node_of, nodes[name].input))
    return reached


def _assigned(nodes: Mapping[str, Any], reached: Iterable[str]) -> set[_Resource]:
    """The variables that reached nodes assign, as the initialisation does the paths of assets."""
    assigns = [nodes[name] for name in reached if nodes[name].op == "AssignVariableOp"]
    handles = [nodes.get(_node_of(assign.input[0])) for assign in assigns]
    return {_resource(handle) for handle in handles if handle is not None}
