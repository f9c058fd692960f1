"""How a member of a group comes from a SavedModel on disk."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.python.saved_model import loader_impl

from model_server.core.errors import Code, ServingError
from model_server.servables.saved_model.model import SavedModel, signature_of
from model_server.servables.sharding.asking.questions import Answer
from model_server.servables.sharding.checkpoint.checkpoint_index import CheckpointIndex, read_index
from model_server.servables.sharding.checkpoint.checksums import unmask
from model_server.servables.sharding.cut.cutting import CannotCut, cut
from model_server.servables.sharding.cut.part import part_of
from model_server.servables.sharding.graph.flattening import flatten
from model_server.servables.sharding.group.agreement import Agreement, Table
from model_server.servables.sharding.group.entry import Course, Entry, course_of, fetches
from model_server.servables.sharding.group.member_part import (
    AllMembers,
    AskOthers,
    MemberPart,
    Share,
    sums_of,
)
from model_server.servables.sharding.group.sharded_model import LoneModel, ShardedModel
from model_server.servables.sharding.group.shares import (
    Checkpoint,
    fill_copies,
    fill_whole,
    table_of,
)
from model_server.servables.sharding.plan.planning import variables_of
from model_server.servables.sharding.plan.shard_plan import Copied, ShardPlan, Split, make_plan
from model_server.servables.signature import Tensors


@dataclass(frozen=True)
class Source:
    """A SavedModel on disk; the digest is of its graph and its checkpoint's index."""

    loader: Any
    meta_graph: Any
    checkpoint: Checkpoint
    digest: str


def source_of(folder: Path, tags: Sequence[str]) -> Source:
    """Reads all of a SavedModel but its variables.

    Raises:
        OSError, RuntimeError: there is none.
        BrokenIndex: its checkpoint is damaged.
    """
    loader = loader_impl.SavedModelLoader(str(folder))
    meta_graph = loader.get_meta_graph_def_from_tags(tags)
    prefix = str(folder / "variables" / "variables")
    data = Path(f"{prefix}.index").read_bytes()
    graph = meta_graph.SerializeToString(deterministic=True)
    digest = hashlib.sha256(hashlib.sha256(graph).digest() + data).hexdigest()[:16]
    return Source(loader, meta_graph, Checkpoint(prefix, read_index(data)), digest)


@dataclass(frozen=True)
class Place:
    """Which member this is, counted from 0, of how many, and how it asks the others.

    Members show each other the `token`; without one anybody may ask for a member's part.
    """

    member: int
    shards: int
    ask_others: AskOthers
    token: bytes = field(default=b"", repr=False)


def load_member(source: Source, place: Place, config: Any) -> ShardedModel:
    """Loads a member's share, and no more, and what it needs to answer for the whole.

    Args:
        source: the SavedModel.
        place: which member this is.
        config: the ConfigProto of both sessions.

    Raises:
        CannotCut: the model needs the engine ``tf``, or cannot be divided.
        ValueError: its graph cannot be looked into.
        OSError, tf.errors.OpError: its checkpoint is damaged.
    """
    return _Member(source, place, config).loaded()


def load_alone(source: Source, config: Any) -> LoneModel:
    """Loads all of a SavedModel, so that its tables are shared with other models of this process.

    Raises what `load_member` raises; CannotCut for one without tables that could be.
    """
    return _Member(source, Place(0, 1, _nobody), config).loaded_alone()


def _nobody(_signature: str, _questions: Mapping[int, Tensors]) -> list[Answer]:
    return []


def plan_for(source: Source, shards: int) -> ShardPlan:
    """Where a group of so many members has the variables of a SavedModel.

    Raises:
        CannotCut: not every member would have any.
        ValueError: its graph cannot be looked into.
    """
    plan = make_plan(variables_of(source.meta_graph, source.checkpoint.index), shards)
    if plan.futility:
        raise CannotCut(plan.futility)
    return plan


def tables_of(plan: ShardPlan, index: CheckpointIndex) -> list[Table]:
    """The tables of which each member reads its range of bytes, and no more, by name."""
    found = []
    for placed in plan.placed:
        stored = index.tensors[placed.variable.key]
        if isinstance(placed, Split) and not stored.is_sliced:
            sizes = tuple(placed.bytes_on(member) for member in range(plan.shards))
            found.append(Table(placed.variable.name, unmask(stored.crc), sizes))
    return found


class _Member:
    """A member that is being loaded."""

    def __init__(self, source: Source, place: Place, config: Any) -> None:
        self._source = source
        self._place = place
        self._config = config
        self._plan = plan_for(source, place.shards)
        self._cut = cut(flatten(source.meta_graph), source.meta_graph, self._plan)
        self._tables = tables_of(self._plan, source.checkpoint.index)
        self._identity = f"{self._plan.hash}-{source.digest}"

    def loaded(self) -> ShardedModel:
        part, entry = self._made()
        group = Agreement(self._identity, entry.members, self._tables, part)
        return ShardedModel(self._source.meta_graph.signature_def, part, entry, group)

    def loaded_alone(self) -> LoneModel:
        part, entry = self._made()
        sums = [table.crc for table in self._tables]
        if [int(each) for each in part.sums] != sums:
            part.close()
            entry.graph.close()
            raise ServingError(Code.DATA_LOSS, "the checksum of a table is not the stored one")
        return LoneModel(self._source.meta_graph.signature_def, part, entry)

    def _made(self) -> tuple[MemberPart, Entry]:
        part = self._part()
        try:
            members = AllMembers(
                self._place.member, self._place.shards, part, self._place.ask_others
            )
            return part, Entry(self._graph(), self._courses(), members)
        except BaseException:
            part.close()
            raise

    def _part(self) -> MemberPart:
        part = part_of(self._cut, self._identity, self._place.member)
        checkpoint, member = self._source.checkpoint, self._place.member
        tables = {name: table_of(checkpoint, each, member) for name, each in part.tables.items()}
        with _session(part.graph, self._config) as session:
            fill_whole(session, checkpoint, part.held)
        gathers = {
            name: {alias: tables[each.variable.name] for alias, each in found.items()}
            for name, found in part.gathers.items()
        }
        share = Share(part.signatures, gathers, SavedModel(session, {}, part.computed))
        # Nothing has a sum of nothing.
        crcs = [tables[each.name].crc if each.name in tables else 0 for each in self._tables]
        return MemberPart(self._identity, share, sums_of(crcs), self._place.token)

    def _graph(self) -> SavedModel:
        copied = [each.variable for each in self._plan.placed if isinstance(each, Copied)]
        tags = [*self._source.meta_graph.meta_info_def.tags]
        with _session(self._cut.graph, self._config) as session:
            fill_copies(session, self._source.checkpoint, copied)
            with session.graph.as_default():
                self._source.loader.run_init_ops(session, tags)
        runs = {each.name: each for one in self._courses().values() for each in fetches(one)}
        return SavedModel(session, {}, runs)

    def _courses(self) -> dict[str, Course]:
        definitions = self._source.meta_graph.signature_def
        return {
            name: course_of(signature_of(name, definition), self._cut, self._identity)
            for name, definition in definitions.items()
        }


@contextmanager
def _session(graph_def: Any, config: Any) -> Iterator[Any]:
    """A session that stays open if all goes well."""
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(graph_def, name="")
    session = tf.compat.v1.Session(graph=graph, config=config)
    try:
        yield session
    except BaseException:
        session.close()
        raise
