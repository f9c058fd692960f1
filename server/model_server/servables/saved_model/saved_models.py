"""Loads SavedModels, and says why one cannot be."""

import logging
from pathlib import Path
from typing import Any

import tensorflow as tf

from model_server.core.errors import Code, ServingError
from model_server.servables.platform import Runtime
from model_server.servables.saved_model import in_graph
from model_server.servables.saved_model.direct import DirectSession
from model_server.servables.saved_model.in_graph_batched import InGraphBatched
from model_server.servables.saved_model.model import SavedModel, serving_error
from model_server.servables.saved_model.restoring import Read, load_into, read
from model_server.servables.saved_model.session_config import is_on_one_cpu, session_config

_log = logging.getLogger(__name__)


class SavedModels:
    """Loads SavedModels, each into a graph and a session of its own."""

    def __init__(self, runtime: Runtime) -> None:
        self._tags = sorted(runtime.tags)
        self._config = session_config(runtime)

    def load(self, name: str, version: int, path: str) -> "SavedModel | InGraphBatched":
        """See Platform.load. Raises ServingError, NOT_FOUND where the folder has no SavedModel."""
        try:
            found = read(path, self._tags)
            signatures = found.meta_graph.signature_def
            if not in_graph.has_batching(found.meta_graph):
                session = _session(found, self._config)
                direct = DirectSession(session, found.meta_graph.graph_def)
                model = SavedModel(session, signatures, direct=direct)
                model.is_on_one_cpu = is_on_one_cpu(self._config)
                return model
            prepared = in_graph.prepare(found.meta_graph, f"{name}/{version}")
            config = in_graph.session_config_for(found.meta_graph, self._config)
            session = _session(found, config)
            alone = SavedModel(session, in_graph.without_batches(signatures, prepared.alone))
            batched = SavedModel(session, signatures)
            return InGraphBatched(batched, alone, whole=prepared.has_pairs)
        except Exception as error:
            # TensorFlow's Python loader raises whatever its parsers do: the folder's content is
            # input from outside, so all of it becomes one kind of error, with the cause logged.
            _log.debug("cannot load %s version %d", name, version, exc_info=True)
            raise load_error(error, path) from error


def _session(found: Read, config: Any) -> Any:
    session = tf.compat.v1.Session(graph=tf.Graph(), config=config)
    try:
        load_into(session, found)
    except BaseException:
        session.close()
        raise
    return session


def load_error(error: Exception, path: str) -> ServingError:
    """What keeps the SavedModel in a folder from being loaded, for its owner."""
    if isinstance(error, ServingError):
        return error
    if isinstance(error, tf.errors.OpError):
        return serving_error(error)
    if isinstance(error, RuntimeError) and "MetaGraphDef associated with tags" in str(error):
        return ServingError(Code.NOT_FOUND, f"{error}")
    holds_model = any(
        (Path(path) / name).exists() for name in ("saved_model.pb", "saved_model.pbtxt")
    )
    if isinstance(error, OSError) and holds_model:
        return ServingError(Code.DATA_LOSS, f"Cannot parse the SavedModel at {path}: {error}")
    if isinstance(error, ValueError) and "not a valid checkpoint" in str(error):
        return ServingError(
            Code.NOT_FOUND, f"Could not find the variables of the SavedModel at {path}: {error}"
        )
    if isinstance(error, OSError):
        return ServingError(
            Code.NOT_FOUND,
            f"Could not find SavedModel .pb or .pbtxt at supplied export directory path: {path}",
        )
    return ServingError(Code.INVALID_ARGUMENT, f"Cannot load the SavedModel at {path}: {error}")
