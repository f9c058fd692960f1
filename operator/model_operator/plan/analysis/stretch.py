"""From where counts are looked at: after a bad verdict only what comes from then on."""

from collections.abc import Iterable
from dataclasses import replace

from model_operator.domain.evidence.counts import NO_REQUESTS, Told
from model_operator.domain.manifests import Manifest

Mark = tuple[str, int]


class Stretches:
    """Remembers what had been counted at the last bad verdict on each ModelDeployment.

    What is forgotten begins at the next look, so that no request is held against a candidate twice.
    """

    def __init__(self) -> None:
        self._begun: dict[str, tuple[Mark, dict[str, Told]]] = {}

    def fresh(self, name: str, status: Manifest, told: Iterable[Told]) -> tuple[Told, ...]:
        """What routers tell, without what earlier verdicts were made from.

        Args:
            name: `NAMESPACE/NAME` of a ModelDeployment.
            status: which remembers how many bad verdicts there were at this step.
            told: of the time since the weights came into force.
        """
        told, mark = tuple(told), _mark(status)
        if mark is None:
            self.forget(name)
            return told
        if name not in self._begun or self._begun[name][0] != mark:
            self._begun[name] = (mark, {})
        before = self._begun[name][1]
        for item in told:
            if not item.trouble:
                before.setdefault(item.router, item)
        return tuple(_since(item, before.get(item.router)) for item in told)

    def forget(self, name: str) -> None:
        self._begun.pop(name, None)


def _mark(status: Manifest) -> Mark | None:
    """Which bad verdict was the last one; None where there was none at this step."""
    part = status.get("candidate") or {}
    failures = part.get("badVerdicts")
    return (part["revision"], failures) if failures else None


def _since(told: Told, before: Told | None) -> Told:
    if before is None or told.trouble or told.epoch != before.epoch:
        return told  # What began anew after the mark holds nothing of what was before.
    earlier = before.tallies
    return replace(
        told,
        tallies={
            name: tally.since(earlier.get(name, NO_REQUESTS))
            for name, tally in told.tallies.items()
        },
    )
