"""Which member of a group holds what of a model's variables; pure.

A table of which only rows are gathered is split into ranges of rows. What is small is copied to
all. The rest lies whole on one member, and the ranges make up for it, so that all hold about as
much.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import accumulate, pairwise

# A copy of so few bytes costs less than asking for them.
SMALL = 1 << 20
# Each member asks all others for every request: far fewer are sensible.
_MOST_SHARDS = 1024


class Engine(StrEnum):
    """How members work together.

    CUT: the graph is cut at its gathers, and members ask each other by PredictionService. TF: by
    TensorFlow's distributed session, which can also gather inside conditions and loops.
    """

    CUT = "cut"
    TF = "tf"


@dataclass(frozen=True)
class Variable:
    """A variable that signatures read.

    `shape` and `bytes` are those of its value, which the checkpoint has under `key`; `slice` is
    TensorFlow's description of the part of it that a variable of a partitioned one has. `dtype` is
    a number of ``tensorflow.DataType``.
    `hindrance` says what forbids to split it by rows; empty if nothing does. `inside` names a node
    that reads it within a condition or a loop; empty if none does.
    """

    name: str
    key: str
    shape: tuple[int, ...]
    bytes: int
    dtype: int
    hindrance: str = ""
    inside: str = ""
    slice: str = ""

    @property
    def rows(self) -> int:
        """How many rows it has; a scalar has none."""
        return self.shape[0] if self.shape else 0


@dataclass(frozen=True)
class Split:
    """A variable by ranges of rows: member k has those from bounds[k] up to bounds[k + 1]."""

    variable: Variable
    bounds: tuple[int, ...]

    def bytes_on(self, member: int) -> int:
        """What one member holds of it."""
        rows = self.bounds[member + 1] - self.bounds[member]
        return self.variable.bytes // self.variable.rows * rows


@dataclass(frozen=True)
class Whole:
    """A variable that one member holds, and why it cannot be split."""

    variable: Variable
    member: int
    reason: str

    def bytes_on(self, member: int) -> int:
        """What one member holds of it."""
        return self.variable.bytes if member == self.member else 0


@dataclass(frozen=True)
class Copied:
    """A variable of which every member has a copy."""

    variable: Variable

    def bytes_on(self, member: int) -> int:
        """What one member holds of it."""
        return self.variable.bytes


Placed = Split | Whole | Copied


@dataclass(frozen=True)
class ShardPlan:
    """Where everything lies. Members with equal plans may form a group.

    `forces` says what needs the engine `tf`; empty where `cut` will do.
    """

    shards: int
    placed: tuple[Placed, ...]
    forces: str = field(default="")

    @property
    def engine(self) -> Engine:
        return Engine.TF if self.forces else Engine.CUT

    @property
    def hash(self) -> str:
        """The identity of the plan: 16 hexadecimal digits, of which equal plans have equal ones."""
        content = [self.shards, self.engine, *map(_content, self.placed)]
        text = json.dumps(content, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def bytes(self) -> int:
        """All variables, once."""
        return sum(each.variable.bytes for each in self.placed)

    @property
    def futility(self) -> str:
        """Why a group of so many members makes no sense; empty where it does."""
        parts = [each for each in self.placed if not isinstance(each, Copied)]
        having = sum(any(each.bytes_on(member) for each in parts) for member in range(self.shards))
        if having == 0:
            return "nothing of this model can be divided; serve it without a group"
        if having < self.shards:
            return f"only {having} of {self.shards} members would hold a part of this model"
        return ""

    def bytes_on(self, member: int) -> int:
        """What the variables of one member take."""
        return sum(each.bytes_on(member) for each in self.placed)


def make_plan(variables: Iterable[Variable], shards: int, small: int = SMALL) -> ShardPlan:
    """The plan for a group, the same for the same variables in any order.

    Args:
        variables: all that signatures read.
        shards: members of the group.
        small: variables of fewer bytes are copied.

    Raises:
        ValueError: `shards` is none that a group can have.
    """
    if not 1 <= shards <= _MOST_SHARDS:
        raise ValueError(f"{shards} shards: a group has between 1 and {_MOST_SHARDS} members")
    ordered = sorted(variables, key=lambda each: each.name)

    def is_copied(each: Variable) -> bool:
        # Where there is one member alone, only what can be shared with other models lies apart.
        return each.bytes < small or (shards == 1 and bool(each.hindrance or each.inside))

    copied = [Copied(each) for each in ordered if is_copied(each)]
    large = [each for each in ordered if not is_copied(each)]
    reasons = {each.name: _reason(each, shards) for each in large}
    whole = _whole([each for each in large if reasons[each.name]], shards, reasons)
    tables = [each for each in large if not reasons[each.name]]
    shares = _shares(sum(each.bytes for each in tables), whole, shards)
    split = [Split(each, _bounds(each.rows, shares)) for each in tables]
    every: list[Placed] = [*copied, *whole, *split]
    placed = sorted(every, key=lambda each: each.variable.name)
    return ShardPlan(shards, tuple(placed), _forces([*whole, *split]))


def _reason(variable: Variable, shards: int) -> str:
    if variable.hindrance or variable.rows >= shards:
        return variable.hindrance
    return f"it has {variable.rows} rows for {shards} members"


def _whole(variables: list[Variable], shards: int, reasons: dict[str, str]) -> list[Whole]:
    """The largest first, each to the member that has least."""
    loads = [0] * shards
    placed = []
    for variable in sorted(variables, key=lambda each: (-each.bytes, each.name)):
        member = loads.index(min(loads))
        loads[member] += variable.bytes
        placed.append(Whole(variable, member, reasons[variable.name]))
    return placed


def _shares(tables: int, whole: Iterable[Whole], shards: int) -> list[int]:
    """The bytes of tables that each member is to hold, so that all hold about as much."""
    loads = [0] * shards
    for each in whole:
        loads[each.member] += each.variable.bytes
    # Those that have more than their part anyway get none; the others share the rest evenly.
    level, open_members = 0, sorted(range(shards), key=lambda member: loads[member])
    while open_members:
        level = (tables + sum(loads[member] for member in open_members)) // len(open_members)
        if loads[open_members[-1]] <= level:
            break
        open_members.pop()
    taking = set(open_members)
    shares = [level - loads[member] if member in taking else 0 for member in range(shards)]
    return shares if any(shares) else [1] * shards


def _bounds(rows: int, shares: Sequence[int]) -> tuple[int, ...]:
    """Ranges of rows in the proportion of the shares, exact in whole numbers."""
    total = sum(shares)
    return (0, *(rows * reached // total for reached in accumulate(shares)))


def _forces(placed: Iterable[Split | Whole]) -> str:
    inside = sorted(
        f"{each.variable.inside} reads {each.variable.name} within a condition or a loop"
        for each in placed
        if each.variable.inside
    )
    return inside[0] if inside else ""


def _content(placed: Placed) -> list[object]:
    variable = placed.variable
    what: list[object] = [variable.name, variable.key, variable.slice]
    what += [list(variable.shape), variable.bytes, variable.dtype]
    match placed:
        case Split(bounds=bounds):
            return [*what, "split", list(bounds)]
        case Whole(member=member):
            return [*what, "whole", member]
        case Copied():
            return [*what, "copied"]


def ranges_of(split: Split) -> list[range]:
    """The rows of each member."""
    return [range(start, stop) for start, stop in pairwise(split.bounds)]
