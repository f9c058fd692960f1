"""Loads SavedModels of which this server holds a part, and other servers the rest."""

import logging
from functools import partial
from pathlib import Path

from model_server.core.errors import Code, ServingError
from model_server.core.servable import ServableId
from model_server.options.shards import Shards
from model_server.servables.platform import Runtime
from model_server.servables.saved_model.saved_models import load_error
from model_server.servables.saved_model.session_config import session_config
from model_server.servables.sharding.asking.peers import Peers
from model_server.servables.sharding.checkpoint.checkpoint_index import BrokenIndex
from model_server.servables.sharding.cut.cutting import CannotCut
from model_server.servables.sharding.group.loading import (
    Place,
    Source,
    load_member,
    plan_for,
    source_of,
)
from model_server.servables.sharding.group.sharded_model import ShardedModel
from model_server.servables.sharding.group.spread_loading import Spreading, load_spread
from model_server.servables.sharding.plan.needs import MemberNeeds
from model_server.servables.sharding.plan.shard_plan import Engine
from model_server.servables.sharding.spread.tasks import Tasks

_log = logging.getLogger(__name__)


class Groups:
    """Loads members; their connections to the others are kept for all models."""

    def __init__(self, runtime: Runtime, shards: Shards) -> None:
        self._tags = sorted(runtime.tags)
        self._config = session_config(runtime)
        self._shards = shards
        self._peers = Peers(shards)
        self._tasks = (
            Tasks(shards.tf_addresses, shards.rank, shards.timeout_seconds)
            if shards.tf_addresses
            else None
        )
        self.needs = MemberNeeds(shards.rank, len(shards.members), runtime.tags)

    def load(self, name: str, version: int, path: str) -> ShardedModel:
        """See Platform.load. Raises ServingError, NOT_FOUND where the folder has no SavedModel."""
        shards = self._shards
        ask_others = partial(self._peers.ask, ServableId(name, version))
        place = Place(shards.rank, len(shards.members), ask_others, shards.token)
        try:
            source = source_of(Path(path), self._tags)
            return self._member(source, place, path, f"{name}@{version}")
        except CannotCut as error:
            said = f"The SavedModel at {path} cannot be served by a group: {error}"
            raise ServingError(Code.UNIMPLEMENTED, said) from error
        except BrokenIndex as error:
            said = f"The checkpoint of the SavedModel at {path} has a damaged index: {error}"
            raise ServingError(Code.DATA_LOSS, said) from error
        except Exception as error:
            # As for whole SavedModels: the folder's content is input from outside.
            _log.debug("cannot load %s version %d", name, version, exc_info=True)
            raise load_error(error, path) from error

    def _member(self, source: Source, place: Place, path: str, name: str) -> ShardedModel:
        try:
            if self._tasks is not None:
                plan = plan_for(source, place.shards)
                if plan.engine is Engine.TF:
                    spreading = Spreading(name, self._tasks, self._config)
                    return load_spread(source, place, plan, spreading)
            return load_member(source, place, self._config)
        except OSError as error:
            said = f"The checkpoint of the SavedModel at {path} cannot be read: {error}"
            raise ServingError(Code.DATA_LOSS, said) from error
