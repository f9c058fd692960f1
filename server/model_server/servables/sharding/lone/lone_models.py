"""Loads SavedModels so that tables which several of them have are in memory once."""

import logging
from pathlib import Path

from model_server.servables.platform import Runtime
from model_server.servables.saved_model.in_graph import has_batching
from model_server.servables.saved_model.saved_models import load_error
from model_server.servables.saved_model.session_config import session_config
from model_server.servables.sharding.checkpoint.checkpoint_index import BrokenIndex
from model_server.servables.sharding.cut.cutting import CannotCut
from model_server.servables.sharding.group.loading import Source, load_alone, source_of
from model_server.servables.sharding.group.sharded_model import LoneModel

_log = logging.getLogger(__name__)


class LoneModels:
    """Loads those SavedModels that have tables of which only rows are gathered."""

    def __init__(self, runtime: Runtime) -> None:
        self._tags = sorted(runtime.tags)
        self._config = session_config(runtime)

    def load(self, path: str) -> LoneModel | None:
        """The model in a folder; None for one that is to be loaded as usual, whatever it is.

        Raises ServingError where its tables cannot be read.
        """
        source = self._source(path)
        if source is None or has_batching(source.meta_graph):
            return None
        try:
            return load_alone(source, self._config)
        except (CannotCut, ValueError) as error:
            _log.info("no tables of the SavedModel at %s are shared: %s", path, error)
            return None
        except Exception as error:
            # As for others: the folder's content is input from outside.
            raise load_error(error, path) from error

    def _source(self, path: str) -> Source | None:
        try:
            return source_of(Path(path), self._tags)
        except (OSError, RuntimeError, BrokenIndex):
            # The usual way says it in the usual words.
            return None
