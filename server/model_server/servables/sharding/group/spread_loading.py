"""How a member of a group comes from a SavedModel that only TensorFlow's own session can spread."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import tensorflow as tf

from model_server.servables.saved_model.model import signature_of
from model_server.servables.sharding.graph.flattening import FlatModel, flatten
from model_server.servables.sharding.group.agreement import Agreement
from model_server.servables.sharding.group.loading import Place, Source, tables_of
from model_server.servables.sharding.group.member_part import (
    AllMembers,
    MemberPart,
    Share,
    sums_of,
)
from model_server.servables.sharding.group.sharded_model import ShardedModel
from model_server.servables.sharding.group.stored_shares import found_in
from model_server.servables.sharding.plan.shard_plan import ShardPlan
from model_server.servables.sharding.spread.filling import OwnResources
from model_server.servables.sharding.spread.servers import config_of, target_of
from model_server.servables.sharding.spread.sessions import LastingSession, Work
from model_server.servables.sharding.spread.spreading import Home, Spread, spread
from model_server.servables.sharding.spread.tasks import Tasks
from model_server.servables.signature import Signature, Tensor, Tensors

_INITIALISATION = "__saved_model_init_op"


@dataclass(frozen=True)
class Spreading:
    """Of which model a group has the variables, by a name of its own, and on which tasks.

    `config` is the ConfigProto of sessions.
    """

    name: str
    tasks: Tasks
    config: Any


def load_spread(
    source: Source, place: Place, plan: ShardPlan, spreading: Spreading
) -> ShardedModel:
    """Loads a member's share into TensorFlow's server of this process.

    Raises:
        CannotCut: requests change a variable.
        ValueError: its graph cannot be looked into.
        OSError, tf.errors.OpError: its checkpoint is damaged.
        ServingError: the server cannot listen at its port.
    """
    return _Member(source, place, plan, spreading).loaded()


@dataclass(frozen=True)
class SpreadEntry:
    """Answers for the whole model by a session with all members."""

    session: LastingSession
    own: OwnResources

    def run(
        self, signature: Signature, inputs: Tensors, outputs: Sequence[str]
    ) -> Sequence[Tensor]:
        """See Servable.run. Raises ServingError."""
        return self.session.run(signature, inputs, outputs)

    def close(self) -> None:
        """Gives back the member's variables; others that need them find none."""
        self.session.close()
        self.own.destroy()


class _Member:
    """A member that is being loaded."""

    def __init__(self, source: Source, place: Place, plan: ShardPlan, spreading: Spreading) -> None:
        self._source = source
        self._place = place
        self._plan = plan
        self._tasks = spreading.tasks
        self._config = config_of(spreading.config)
        tasks = _digest(*spreading.tasks.addresses)
        self._identity = f"{plan.hash}-{source.digest}-{tasks}"
        self._container = f"model.{_digest(spreading.name, self._identity)}"
        self._flat = flatten(source.meta_graph)
        self._signatures = _signatures(source, self._flat)

    def loaded(self) -> ShardedModel:
        requested = self._signatures.keys() - {_INITIALISATION}
        wanted = [
            spec.name for name in requested for spec in self._signatures[name].outputs.values()
        ]
        home = Home(self._place.member, self._container)
        made = spread(self._flat, wanted, self._plan, home)
        target = target_of(self._tasks, self._config)
        own = OwnResources(target, self._config, self._place.member, made.graph)
        part = self._filled(own, made)
        work = Work(
            partial(self._session, target, made.graph),
            {name: self._signatures[name] for name in requested},
            self._container,
            self._tasks.timeout_seconds,
        )
        entry = SpreadEntry(LastingSession(work), own)
        members = AllMembers(self._place.member, self._place.shards, part, self._place.ask_others)
        tables = tables_of(self._plan, self._source.checkpoint.index)
        group = Agreement(self._identity, members, tables, part)
        group.join_with(entry.session.join)
        return ShardedModel(self._source.meta_graph.signature_def, part, entry, group)

    def _filled(self, own: OwnResources, made: Spread) -> MemberPart:
        index = self._source.checkpoint.index
        by_name = {each.variable.name: each for each in self._plan.placed}
        placed = {handle: by_name[name] for name, handle in made.handles.items()}
        try:
            with found_in(self._source.checkpoint, placed, self._place.member) as found:
                own.fill(found.stored)
        except BaseException:
            own.destroy()
            raise
        crcs = [found.sums.get(each.name, 0) for each in tables_of(self._plan, index)]
        # By the last number others see that these variables are not those of a former process.
        sums = sums_of([*crcs, secrets.randbits(62)])
        return MemberPart(self._identity, Share({}, {}, None), sums, self._place.token)

    def _session(self, target: str, graph_def: Any) -> Any:
        graph = tf.Graph()
        with graph.as_default():
            tf.import_graph_def(graph_def, name="")
        session = tf.compat.v1.Session(target, graph, self._config)
        try:
            with graph.as_default():
                tags = [*self._source.meta_graph.meta_info_def.tags]
                self._source.loader.run_init_ops(session, tags)
        except BaseException:
            session.close()
            raise
        return session


def _signatures(source: Source, flat: FlatModel) -> dict[str, Signature]:
    """The signatures with their outputs as the flat graph calls them."""
    found = {}
    for name, definition in source.meta_graph.signature_def.items():
        flattened = type(definition)()
        flattened.CopyFrom(definition)
        for info in flattened.outputs.values():
            info.name = flat.outputs[info.name]
        found[name] = signature_of(name, flattened)
    return found


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]
