"""Which revision gets the traffic now."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from model_operator.domain.seen.workloads import Workload
from model_operator.domain.wish.revision import Revision


@dataclass(frozen=True)
class Choice:
    """`wanted` is what the spec asks for. `stable` serves; None until a first revision has."""

    wanted: Revision
    stable: str | None

    @property
    def serving(self) -> str:
        """Where the Service leads: before anything serves, to the revision that will."""
        return self.stable or self.wanted.name

    @property
    def is_promoted(self) -> bool:
        return self.stable == self.wanted.name

    @property
    def in_use(self) -> frozenset[str]:
        return frozenset({self.wanted.name, self.serving})


@dataclass(frozen=True)
class Candidates:
    """What a choice is made from: the revisions by age, and their workloads.

    `enough` is the number of ready replicas with which the wanted revision gets the traffic; 0
    when no replica is wanted at all.
    """

    revisions: Sequence[Revision]
    workloads: Mapping[str, Workload]
    previous: str | None
    enough: int


def choose(wanted: Revision, candidates: Candidates) -> Choice:
    """The wanted revision once enough of its replicas are ready; until then the best there is.

    As long as any revision has a ready replica, the chosen one has (unless no replica is wanted).
    """
    ready = {name: workload.ready for name, workload in candidates.workloads.items()}
    if candidates.enough == 0 or ready.get(wanted.name, 0) >= candidates.enough:
        return Choice(wanted, wanted.name)
    previous = candidates.previous
    if previous is not None and ready.get(previous, 0) > 0:
        return Choice(wanted, previous)
    if ready.get(wanted.name, 0) > 0:
        return Choice(wanted, wanted.name)
    if alive := _alive(candidates):
        return Choice(wanted, alive[-1])
    is_known = previous in ready or previous in {item.name for item in candidates.revisions}
    return Choice(wanted, previous if is_known else None)


def stand_in(choice: Choice, candidates: Candidates, warm: Collection[str]) -> str | None:
    """Who gets the requests while neither revision of a choice has a ready replica.

    None if one has, or nobody else. One that is warm has served before, and comes first.
    """
    alive = _alive(candidates)
    if not alive or choice.in_use & set(alive):
        return None
    return max(alive, key=lambda name: (name in warm, alive.index(name)))


def _alive(candidates: Candidates) -> list[str]:
    """Those with a ready replica, oldest first."""
    return [name for name in _by_age(candidates) if candidates.workloads[name].ready > 0]


def _by_age(candidates: Candidates) -> list[str]:
    """Names of workloads, oldest first; those whose history was lost before all others."""
    age = {revision.name: revision.number for revision in candidates.revisions}
    return sorted(candidates.workloads, key=lambda name: (age.get(name, -1), name))
