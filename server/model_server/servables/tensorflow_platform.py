"""The platform ``tensorflow``: SavedModels, or the TensorFlow Lite models beside them."""

from typing import TYPE_CHECKING

from model_server.options.shards import Shards
from model_server.servables.platform import Runtime
from model_server.servables.saved_model.in_graph_batched import InGraphBatched
from model_server.servables.saved_model.model import SavedModel
from model_server.servables.saved_model.saved_models import SavedModels

if TYPE_CHECKING:
    from model_server.servables.sharding.group.groups import Groups
    from model_server.servables.sharding.group.sharded_model import LoneModel, ShardedModel
    from model_server.servables.sharding.lone.lone_models import LoneModels
    from model_server.servables.sharding.plan.needs import MemberNeeds
    from model_server.servables.tflite.model import TfLite, TfLiteModel

    Loaded = SavedModel | InGraphBatched | LoneModel | ShardedModel | TfLiteModel


class TensorFlow:
    """Loads SavedModels; with --prefer_tflite_model, TensorFlow Lite models where there are any."""

    def __init__(self, runtime: Runtime) -> None:
        self._saved_models = SavedModels(runtime)
        self._groups = _groups(runtime, runtime.shards) if runtime.shards else None
        self._lone = _lone(runtime) if runtime.share_tables and not runtime.shards else None
        self._lite = _lite(runtime) if runtime.prefer_tflite else None

    @property
    def needs(self) -> "MemberNeeds | None":
        """See PartialPlatform."""
        return self._groups.needs if self._groups is not None else None

    def load(self, name: str, version: int, path: str) -> "Loaded":
        """See Platform.load. Raises ServingError, NOT_FOUND where the folder has no model."""
        if self._groups is not None:
            return self._groups.load(name, version, path)
        if self._lite is not None and self._lite.is_in(path):
            return self._lite.load(name, version, path)
        shared = self._lone.load(path) if self._lone is not None else None
        return shared or self._saved_models.load(name, version, path)

    def unload(self, servable: "Loaded") -> None:
        """See Platform.unload."""
        servable.close()


def _groups(runtime: Runtime, shards: Shards) -> "Groups":
    # Few servers are members of a group.
    from model_server.servables.sharding.group.groups import Groups

    return Groups(runtime, shards)


def _lone(runtime: Runtime) -> "LoneModels":
    # As few share tables.
    from model_server.servables.sharding.lone.lone_models import LoneModels

    return LoneModels(runtime)


def _lite(runtime: Runtime) -> "TfLite":
    # LiteRT takes a second to import, and few servers need it.
    from model_server.servables.tflite.model import TfLite

    # Clients of TensorFlow Serving know such models by the names of their tensors.
    return TfLite(runtime, listed=False)
