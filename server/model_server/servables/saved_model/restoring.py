"""How a SavedModel's graph, variables and tables come into a session."""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
from tensorflow.python.framework import op_def_registry
from tensorflow.python.saved_model import loader_impl
from tensorflow.python.training import py_checkpoint_reader

from model_server.core.errors import Code, ServingError
from model_server.servables.quiet import at_low_priority
from model_server.servables.saved_model.operations import missing_operations
from model_server.servables.saved_model.variables import Restore, Stored, restore_of

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Read:
    """A SavedModel that was read; what is changed in ``meta_graph`` is loaded so."""

    path: str
    tags: Sequence[str]
    loader: Any
    meta_graph: Any


def read(path: str, tags: Sequence[str]) -> Read:
    """Reads the MetaGraphDef with these tags.

    Raises ServingError for operations there are none of, and whatever TensorFlow does.
    """
    loader = loader_impl.SavedModelLoader(path)
    meta_graph = loader.get_meta_graph_def_from_tags(tags)
    missing = missing_operations(meta_graph, lambda name: op_def_registry.get(name) is not None)
    if missing:
        raise ServingError(
            Code.NOT_FOUND,
            f"Op type not registered '{', '.join(missing)}', which functions of the SavedModel"
            f" {path} need",
        )
    return Read(path, tags, loader, meta_graph)


def load_into(session: Any, read: Read) -> None:
    """Loads what was read, ready to run.

    As ``tf.compat.v1.saved_model.load`` does it, except that only variables which signatures reach
    are read, and that Keras 3 models written by ``tf.saved_model.save`` get their values.
    Raises ServingError for a checkpoint that does not fit, and whatever TensorFlow does.
    """
    loader, meta_graph = read.loader, read.meta_graph
    with session.graph.as_default():
        saver, _ = loader.load_graph(session.graph, read.tags)
        restore = restore_of(meta_graph)
        if restore is None or not restore.plain:
            at_low_priority(lambda: loader.restore_variables(session, saver))
        if restore is not None:
            _fill(session, restore, loader.variables_path, read.path)
        loader.run_init_ops(session, read.tags)


def _fill(session: Any, restore: Restore, checkpoint: str, path: str) -> None:
    variables = restore.copies + (restore.reached if restore.plain else ())
    if restore.copies:
        _log.warning(
            "%s was written by tf.saved_model.save of a Keras 3 model, which leaves %d variables of"
            " its signatures without a value; they get those of their copies. model.export()"
            " writes a SavedModel that any server can run.",
            path,
            len(restore.copies),
        )
    if restore.lost:
        _log.warning(
            "%s has no value for %s: requests that read them will fail. Keras 3 models are to be"
            " written by model.export().",
            path,
            ", ".join(restore.lost),
        )
    if not variables:
        return
    reader = py_checkpoint_reader.NewCheckpointReader(checkpoint)
    shapes = reader.get_variable_to_shape_map()
    types = reader.get_variable_to_dtype_map()
    handles = [session.graph.get_tensor_by_name(f"{each.node}:0") for each in variables]
    for variable, handle in zip(variables, handles, strict=True):
        _check(variable, handle, shapes, path)
    _run(session, variables, handles, checkpoint)
    read = {each.key for each in variables}
    _log.info(
        "Restored %d variables of %s: %d of the checkpoint's %d bytes",
        len(variables),
        path,
        sum(_bytes(shapes[key], types[key]) for key in read),
        sum(_bytes(shape, types[key]) for key, shape in shapes.items()),
    )


def _run(session: Any, variables: tuple[Stored, ...], handles: list[Any], checkpoint: str) -> None:
    kinds = [tf.as_dtype(handle.op.get_attr("dtype")) for handle in handles]
    # On the CPU whatever the model's devices are: that is where files are read.
    with tf.device("/cpu:0"):
        values = tf.raw_ops.RestoreV2(
            prefix=checkpoint,
            tensor_names=[each.key for each in variables],
            shape_and_slices=[""] * len(variables),
            dtypes=kinds,
        )
    assigns = [
        tf.raw_ops.AssignVariableOp(resource=handle, value=value)
        for handle, value in zip(handles, values, strict=True)
    ]
    # The longest part of a load, and all of it without the interpreter.
    at_low_priority(lambda: session.run(assigns))


def _check(variable: Stored, handle: Any, shapes: dict[str, list[int]], path: str) -> None:
    stored = shapes.get(variable.key)
    if stored is None:
        raise ServingError(
            Code.NOT_FOUND, f"Key {variable.key} not found in checkpoint of the SavedModel {path}"
        )
    wanted = tf.TensorShape(handle.op.get_attr("shape"))
    if not wanted.is_compatible_with(stored):
        raise ServingError(
            Code.INVALID_ARGUMENT,
            f"The checkpoint of the SavedModel {path} does not fit its graph: variable"
            f" {variable.node} has shape {wanted}, but {stored} is stored under {variable.key}",
        )


def _bytes(shape: list[int], dtype: Any) -> int:
    # Strings have no size of their own.
    return math.prod(shape) * int(dtype.size or 0)
