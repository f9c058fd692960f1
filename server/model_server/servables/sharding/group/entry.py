"""A model whose variables lie on several members, as one of them answers for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from model_server.core.errors import Code, ServingError
from model_server.servables.dtypes import dtype_of
from model_server.servables.saved_model.model import SavedModel
from model_server.servables.sharding.asking.questions import Answer
from model_server.servables.sharding.cut.cutting import Cut, Use
from model_server.servables.sharding.cut.lookup import Lookup, lookup
from model_server.servables.sharding.cut.part import (
    asked_inputs,
    asked_kinds,
    input_alias,
    is_held,
    part_signature,
)
from model_server.servables.sharding.plan.shard_plan import Split, Whole
from model_server.servables.signature import Signature, Tensor, Tensors, TensorSpec


class Members(Protocol):
    """The members of the group, this one too."""

    @property
    def count(self) -> int:
        """How many there are."""

    def ask(self, signature: str, questions: Mapping[int, Tensors]) -> list[Answer]:
        """Asks members at the same time; what each one's part made of its question, in order."""


@dataclass(frozen=True)
class Round:
    """A level of uses, and how the session gets what is asked for them.

    `fetching` is a signature of the entry's graph; None where requests hold all of it.
    """

    asked: str
    uses: tuple[Use, ...]
    fetching: Signature | None


@dataclass(frozen=True)
class Course:
    """How a signature is answered: round by round, and then the rest of the graph.

    `outputs` has the tensor of each of its outputs, by alias.
    """

    rounds: tuple[Round, ...]
    ending: Signature
    outputs: Mapping[str, str]


def course_of(signature: Signature, cut: Cut, identity: str) -> Course:
    """The course of a signature of the whole model in a group with this identity."""
    levels = cut.levels[signature.name]
    known = {spec.name: spec for spec in signature.inputs.values()}
    rounds = []
    for level, uses in enumerate(levels):
        asked = {
            name: TensorSpec(name, dtype_of(kind))
            for use in uses
            for name, kind in zip(asked_inputs(use), asked_kinds(use), strict=True)
            if name not in known
        }
        name = part_signature(identity, signature.name, level)
        rounds.append(Round(name, uses, Signature(name, dict(known), asked) if asked else None))
        # What was fetched is not fed again: it would cut off what else its node gives.
        for use in uses:
            known[use.output] = TensorSpec(use.output, dtype_of(use.output_kind))
    outputs = {alias: cut.outputs[spec.name] for alias, spec in signature.outputs.items()}
    specs = {
        outputs[alias]: TensorSpec(outputs[alias], spec.dtype)
        for alias, spec in signature.outputs.items()
        if outputs[alias] not in known
    }
    return Course(tuple(rounds), Signature(signature.name, known, specs), outputs)


def fetches(course: Course) -> list[Signature]:
    """The signatures of the entry's graph that a course runs."""
    return [*(each.fetching for each in course.rounds if each.fetching), course.ending]


@dataclass(frozen=True)
class Entry:
    """Answers for the whole model: `graph` is the entry's own, with a signature for each fetch."""

    graph: SavedModel
    courses: Mapping[str, Course]
    members: Members

    def run(
        self, signature: Signature, inputs: Tensors, outputs: Sequence[str]
    ) -> Sequence[Tensor]:
        """See Servable.run. Raises ServingError, a member's own where one cannot answer."""
        course = self.courses[signature.name]
        values: dict[str, Tensor] = {
            spec.name: inputs[alias] for alias, spec in signature.inputs.items()
        }
        for each in course.rounds:
            values |= self._answers(each, {**values, **self._fetched(each.fetching, values)})
        wanted = [course.outputs[alias] for alias in outputs]
        missing = [name for name in dict.fromkeys(wanted) if name not in values]
        if missing:
            found = self.graph.run(course.ending, values, missing)
            values |= dict(zip(missing, found, strict=True))
        return [values[name] for name in wanted]

    def close(self) -> None:
        """Gives back the memory of the graph."""
        self.graph.close()

    def _fetched(self, fetching: Signature | None, values: Tensors) -> Tensors:
        if fetching is None:
            return {}
        names = tuple(fetching.outputs)
        return dict(zip(names, self.graph.run(fetching, values, names), strict=True))

    def _answers(self, each: Round, values: Tensors) -> dict[str, Tensor]:
        """The outputs of a level's uses; every member is asked once, and all at the same time."""
        lookups = {
            number: lookup(values[use.inputs[0]], use.placed.bounds)
            for number, use in enumerate(each.uses)
            if isinstance(use.placed, Split)
        }
        asked = {member for found in lookups.values() for member in found.members}
        asked |= {use.placed.member for use in each.uses if isinstance(use.placed, Whole)}
        questions = {member: _question(each, lookups, values, member) for member in sorted(asked)}
        answers = {}
        found = self.members.ask(each.asked, questions)
        for member, answer in zip(questions, found, strict=True):
            if isinstance(answer, ServingError):
                raise answer
            answers[member] = answer
        return {
            use.output: _joined(number, use, lookups.get(number), answers)
            for number, use in enumerate(each.uses)
        }


def _question(
    each: Round, lookups: Mapping[int, Lookup], values: Tensors, member: int
) -> dict[str, Tensor]:
    """What a member is sent: something for each use of the level that it has a variable of."""
    question = {}
    for number, use in enumerate(each.uses):
        if not is_held(use.placed, member):
            continue
        if number in lookups:
            question[input_alias(number, 0)] = lookups[number].question(member)
        else:
            for place, name in enumerate(use.inputs):
                question[input_alias(number, place)] = values[name]
    return question


def _joined(
    number: int, use: Use, found: Lookup | None, answers: Mapping[int, Mapping[str, Tensor]]
) -> Tensor:
    alias = str(number)
    try:
        if found is None:
            assert isinstance(use.placed, Whole)
            return answers[use.placed.member][alias]
        parts = {member: answers[member][alias] for member in found.members}
    except KeyError as error:
        raise ServingError(Code.INTERNAL, f"a member left out its answer to {use.node}") from error
    variable = use.placed.variable
    return found.joined(parts, variable.shape[1:], dtype_of(variable.dtype).numpy)
