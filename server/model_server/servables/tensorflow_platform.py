"""The platform ``tensorflow``: SavedModels, or the TensorFlow Lite models beside them."""

from typing import TYPE_CHECKING

from model_server.options.shards import Shards
from model_server.servables.platform import Runtime
from model_server.servables.saved_model.in_graph_batched import InGraphBatched
from model_server.servables.saved_model.model import SavedModel
from model_server.servables.saved_model.saved_models import SavedModels

if TYPE_CHECKING:
    from model_server.servables.sharding.group.groups import Groups
    from model_server.servables.sharding.group.sharded_model import ShardedModel
    from model_server.servables.sharding.plan.needs import MemberNeeds
    from model_server.servables.tflite.model import TfLite, TfLiteModel


class TensorFlow:
    """Loads SavedModels; with --prefer_tflite_model, TensorFlow Lite models where there are any."""

    def __init__(self, runtime: Runtime) -> None:
        self._saved_models = SavedModels(runtime)
        self._groups = _groups(runtime, runtime.shards) if runtime.shards else None
        self._lite = _lite(runtime) if runtime.prefer_tflite else None

    @property
    def needs(self) -> "MemberNeeds | None":
        """See PartialPlatform."""
        return self._groups.needs if self._groups is not None else None

    def load(
        self, name: str, version: int, path: str
    ) -> "SavedModel | InGraphBatched | ShardedModel | TfLiteModel":
        """See Platform.load. Raises ServingError, NOT_FOUND where the folder has no model."""
        if self._groups is not None:
            return self._groups.load(name, version, path)
        if self._lite is not None and self._lite.is_in(path):
            return self._lite.load(name, version, path)
        return self._saved_models.load(name, version, path)

    def unload(self, servable: "SavedModel | InGraphBatched | ShardedModel | TfLiteModel") -> None:
        """See Platform.unload."""
        servable.close()


def _groups(runtime: Runtime, shards: Shards) -> "Groups":
    # Few servers are members of a group.
    from model_server.servables.sharding.group.groups import Groups

    return Groups(runtime, shards)


def _lite(runtime: Runtime) -> "TfLite":
    # LiteRT takes a second to import, and few servers need it.
    from model_server.servables.tflite.model import TfLite

    # Clients of TensorFlow Serving know such models by the names of their tensors.
    return TfLite(runtime, listed=False)
