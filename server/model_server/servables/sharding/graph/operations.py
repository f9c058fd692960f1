"""What TensorFlow says of the operations of a graph's nodes."""

from typing import Any

from tensorflow.python.framework import op_def_registry

# Stateful by their kernels' word, but the same for the same input while a model serves.
_STEADY = frozenset(
    {
        "Assert",
        "HashTable",
        "HashTableV2",
        "LookupTableFind",
        "LookupTableFindV2",
        "LookupTableSize",
        "LookupTableSizeV2",
        "Print",
        "PrintV2",
        "ReadVariableOp",
        "ResourceGather",
        "ResourceGatherNd",
        "VarHandleOp",
        "VarIsInitializedOp",
        "Variable",
        "VariableV2",
    }
)
# So begin the names of operations that change a variable by its handle.
_WRITES = ("Assign", "ResourceApply", "ResourceScatter", "ResourceSparseApply", "ResourceStridedS")
# These take a reference and change nothing.
_HANDS_ON = ("Ref", "IsVariableInitialized")


def writes(op: str) -> bool:
    """Whether an operation changes a variable."""
    if op.startswith(_WRITES):
        return True
    definition = op_def_registry.get(op)
    takes = definition is not None and any(each.is_ref for each in definition.input_arg)
    return takes and not op.startswith(_HANDS_ON)


def runs_once(op: str) -> bool:
    """Whether two runs of an operation with the same inputs may give different values."""
    definition = op_def_registry.get(op)
    return definition is None or (definition.is_stateful and op not in _STEADY)


def output_type(node: Any) -> int | None:
    """The type of a node's only output, as a number of ``tensorflow.DataType``.

    None if it has no output, or several.
    """
    definition = op_def_registry.get(node.op)
    if definition is None or len(definition.output_arg) != 1:
        return None
    (output,) = definition.output_arg
    if output.number_attr or output.type_list_attr:
        return None
    kind: int = node.attr[output.type_attr].type if output.type_attr else output.type
    return kind


def input_types(node: Any) -> list[int]:
    """The types of a node's inputs, as numbers of ``tensorflow.DataType``.

    Raises:
        ValueError: TensorFlow does not know the operation.
    """
    definition = op_def_registry.get(node.op)
    if definition is None:
        raise ValueError(f"there is no operation {node.op} ({node.name})")
    found: list[int] = []
    for argument in definition.input_arg:
        if argument.type_list_attr:
            found.extend(node.attr[argument.type_list_attr].list.type)
            continue
        kind = node.attr[argument.type_attr].type if argument.type_attr else argument.type
        found.extend([kind] * (node.attr[argument.number_attr].i if argument.number_attr else 1))
    return found
