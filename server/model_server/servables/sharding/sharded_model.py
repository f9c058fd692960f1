"""One member of a group that serves a SavedModel together: a part for the others, and an entry."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.python.saved_model import loader_impl

from model_server.servables.saved_model.model import SavedModel, signature_of
from model_server.servables.sharding.checkpoint_index import read_index
from model_server.servables.sharding.cutting import Cut, cut
from model_server.servables.sharding.entry import Course, Entry, Members, course_of, fetches
from model_server.servables.sharding.flattening import flatten
from model_server.servables.sharding.part import part_of
from model_server.servables.sharding.plan import Copied, ShardPlan, make_plan
from model_server.servables.sharding.planning import variables_of
from model_server.servables.sharding.shares import Checkpoint, fill_copies, fill_part
from model_server.servables.signature import Signature, Tensor, Tensors


@dataclass(frozen=True)
class Place:
    """Which member this is, counted from 0, and how many there are."""

    member: int
    shards: int


class WithParts(Mapping[str, Signature]):
    """The signatures that clients know, and beside them those that members ask for.

    The latter are found by name, and listed nowhere.
    """

    def __init__(self, known: Mapping[str, Signature], parts: Mapping[str, Signature]) -> None:
        self._known = known
        self._parts = parts

    def __getitem__(self, name: str) -> Signature:
        found = self._known.get(name)
        return self._parts[name] if found is None else found

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


class ShardedModel:
    """Answers for the whole model, and for its part of it to the other members."""

    def __init__(self, plan: ShardPlan, part: SavedModel, entry: Entry, definitions: Any) -> None:
        self.plan = plan
        self.signature_defs = dict(definitions)
        known = {name: signature_of(name, each) for name, each in definitions.items()}
        self.signatures = WithParts(known, part.signatures)
        self._part = part
        self._entry = entry

    def run(
        self, signature: Signature, inputs: Tensors, outputs: Sequence[str]
    ) -> Sequence[Tensor]:
        """See Servable.run. Raises ServingError, a member's own where one cannot answer."""
        if signature.name in self._part.signatures:
            return self._part.run(signature, inputs, outputs)
        return self._entry.run(signature, inputs, outputs)

    def close(self) -> None:
        """Gives back the memory; the servable cannot run any more."""
        self._part.close()
        self._entry.graph.close()


@dataclass(frozen=True)
class Source:
    """A SavedModel on disk."""

    loader: Any
    meta_graph: Any
    checkpoint: Checkpoint


def source_of(folder: Path, tags: Sequence[str]) -> Source:
    """Reads all of a SavedModel but its variables.

    Raises:
        OSError, RuntimeError: there is none.
        BrokenIndex: its checkpoint is damaged.
    """
    loader = loader_impl.SavedModelLoader(str(folder))
    meta_graph = loader.get_meta_graph_def_from_tags(tags)
    prefix = str(folder / "variables" / "variables")
    index = read_index(Path(f"{prefix}.index").read_bytes())
    return Source(loader, meta_graph, Checkpoint(prefix, index))


def load_member(source: Source, place: Place, members: Members, config: Any) -> ShardedModel:
    """Loads a member's share, and no more, and what it needs to answer for the whole.

    Args:
        source: the SavedModel.
        place: which member this is.
        members: how the others are asked.
        config: the ConfigProto of both sessions.

    Raises:
        CannotCut: the model needs the engine ``tf``, or cannot be divided.
        ValueError: its graph cannot be looked into.
        OSError, tf.errors.OpError: its checkpoint is damaged.
    """
    flat = flatten(source.meta_graph)
    plan = make_plan(variables_of(source.meta_graph, source.checkpoint.index), place.shards)
    found = cut(flat, source.meta_graph, plan)
    part = _part(source, found, plan, place.member, config)
    try:
        entry = Entry(*_graph_and_courses(source, found, plan, config), members)
    except BaseException:
        part.close()
        raise
    return ShardedModel(plan, part, entry, source.meta_graph.signature_def)


def _part(source: Source, found: Cut, plan: ShardPlan, member: int, config: Any) -> SavedModel:
    part = part_of(found, plan, member)
    session = _session(part.graph, config)
    try:
        fill_part(session, source.checkpoint, part.held, member)
    except BaseException:
        session.close()
        raise
    return SavedModel(session, {}, part.signatures)


def _graph_and_courses(
    source: Source, found: Cut, plan: ShardPlan, config: Any
) -> tuple[SavedModel, Mapping[str, Course]]:
    courses = {
        name: course_of(signature_of(name, definition), found, plan)
        for name, definition in source.meta_graph.signature_def.items()
    }
    session = _session(found.graph, config)
    try:
        copied = [each.variable for each in plan.placed if isinstance(each, Copied)]
        fill_copies(session, source.checkpoint, copied)
        with session.graph.as_default():
            source.loader.run_init_ops(session, [*source.meta_graph.meta_info_def.tags])
    except BaseException:
        session.close()
        raise
    runs = {each.name: each for course in courses.values() for each in fetches(course)}
    return SavedModel(session, {}, runs), courses


def _session(graph_def: Any, config: Any) -> Any:
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(graph_def, name="")
    return tf.compat.v1.Session(graph=graph, config=config)
