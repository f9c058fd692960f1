"""A ModelDeployment as its status tells of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from kubectl_modelfleet.seen.fields import Object, at, items, moment, number, text, whole
from kubectl_modelfleet.seen.names import GROUP


@dataclass(frozen=True)
class Condition:
    """One of `status.conditions`; `status` is True, False or Unknown, in words."""

    type: str
    status: str
    reason: str
    message: str


@dataclass(frozen=True)
class Share:
    """Percent of the requests: as the operator wants it, as routers are told, as they count it."""

    wanted: float | None
    programmed: float | None
    observed: float | None


@dataclass(frozen=True)
class Revision:
    """One that has pods or a future. Counts that nobody has written are None.

    `arm` is the variant that it is of, or shadow; empty for the main model. `is_leaving` means that
    it was never stable, and its pods are about to go.
    """

    name: str
    arm: str = ""
    version: int | None = None
    replicas: int | None = None
    ready: int | None = None
    is_aborted: bool = False
    warm_until: datetime | None = None
    is_leaving: bool = False
    message: str = ""


@dataclass(frozen=True)
class Analysis:
    """What the candidate's requests say; all empty without an analysis."""

    verdict: str
    requests: int | None
    message: str
    bad_verdicts: int


@dataclass(frozen=True)
class Arm:
    """A variant or the shadow. `coming` is the revision that takes over when it is ready."""

    name: str
    revision: str
    coming: str
    message: str


@dataclass(frozen=True)
class Candidate:
    """The revision on its way in. `target` is None where the change takes no steps of weight."""

    revision: str
    version: int | None
    state: str
    step: int | None
    target: int | None
    weight: int | None
    since: datetime | None
    abort: str
    analysis: Analysis

    @property
    def takes_steps(self) -> bool:
        return self.target is not None

    @property
    def is_aborted(self) -> bool:
        return self.state == "Aborted" or bool(self.abort)


@dataclass(frozen=True)
class Rollback:
    """`to` serves although the spec asks for `instead`."""

    to: str
    instead: str


@dataclass(frozen=True)
class Wishes:
    """What users have said: `orders` are the annotations, by command; `steps` percents."""

    generation: int
    orders: Mapping[str, str]
    steps: tuple[int, ...]
    is_paused: bool
    is_suspended: bool


@dataclass(frozen=True)
class Deployment:
    """All of it. `handled` are the orders that the operator has dealt with, by command."""

    name: str
    namespace: str
    wishes: Wishes
    seen_generation: int
    conditions: tuple[Condition, ...]
    stable: str
    candidate: Candidate | None
    revisions: tuple[Revision, ...]
    shares: Mapping[str, Share]
    arms: tuple[Arm, ...]
    next: str
    handled: Mapping[str, str]
    rollback: Rollback | None

    @property
    def is_current(self) -> bool:
        """True when the status speaks of the newest spec."""
        return self.seen_generation >= self.wishes.generation

    def condition(self, type_: str) -> Condition | None:
        return next((item for item in self.conditions if item.type == type_), None)

    def holds(self, type_: str) -> bool:
        condition = self.condition(type_)
        return condition is not None and condition.status == "True"

    def revision(self, name: str) -> Revision:
        """What is known of a revision, which may be its name alone."""
        return next((item for item in self.revisions if item.name == name), Revision(name))


def read_deployment(body: Object) -> Deployment:
    """The values in an object of the API."""
    status = at(body, "status")
    to, instead = text(at(status, "rollback", "to")), text(at(status, "rollback", "instead"))
    seen = whole(at(status, "observedGeneration"))
    return Deployment(
        name=text(at(body, "metadata", "name")),
        namespace=text(at(body, "metadata", "namespace")),
        wishes=_wishes(body),
        seen_generation=-1 if seen is None else seen,
        conditions=tuple(_condition(item) for item in items(at(status, "conditions"))),
        stable=text(at(status, "stable", "revision")),
        candidate=_candidate(at(status, "candidate")),
        revisions=_revisions(status),
        shares=_shares(status),
        arms=_arms(status),
        next=text(at(status, "next")),
        handled={
            text(item.get("command")): text(item.get("value"))
            for item in items(at(status, "commands"))
        },
        rollback=Rollback(to, instead) if to and instead else None,
    )


def _wishes(body: Object) -> Wishes:
    annotations = at(body, "metadata", "annotations")
    found = annotations.items() if isinstance(annotations, Mapping) else ()
    rollout = at(body, "spec", "rollout")
    weights = [whole(step.get("weight")) for step in items(at(rollout, "steps"))]
    return Wishes(
        generation=whole(at(body, "metadata", "generation")) or 0,
        orders={
            name.removeprefix(f"{GROUP}/"): text(value)
            for name, value in found
            if name.startswith(f"{GROUP}/")
        },
        steps=tuple(weight for weight in weights if weight is not None),
        is_paused=at(rollout, "paused") is True,
        is_suspended=at(body, "spec", "suspend") is True,
    )


def _condition(item: Object) -> Condition:
    fields = ("type", "status", "reason", "message")
    return Condition(*(text(item.get(field)) for field in fields))


def _candidate(part: Object | None) -> Candidate | None:
    name = text(at(part, "revision"))
    if not name:
        return None
    return Candidate(
        revision=name,
        version=whole(at(part, "version")),
        state=text(at(part, "state")),
        step=whole(at(part, "step")),
        target=whole(at(part, "target")),
        weight=whole(at(part, "weight")),
        since=moment(at(part, "stepSince")) or moment(at(part, "since")),
        abort=": ".join(
            filter(None, (text(at(part, "abort", "reason")), text(at(part, "abort", "message"))))
        ),
        analysis=Analysis(
            verdict=text(at(part, "verdict")),
            requests=whole(at(part, "requests")),
            message=text(at(part, "analysis", "message")),
            bad_verdicts=whole(at(part, "badVerdicts")) or 0,
        ),
    )


def _revisions(status: Object | None) -> tuple[Revision, ...]:
    """Those listed, and those that are named elsewhere alone."""
    listed = {
        text(item.get("name")): _revision(item)
        for item in items(at(status, "revisions"))
        if text(item.get("name"))
    }
    for part in ("stable", "candidate"):
        name = text(at(status, part, "revision"))
        if name and name not in listed:
            listed[name] = Revision(name, version=whole(at(status, part, "version")))
    return tuple(listed.values())


def _revision(item: Object) -> Revision:
    return Revision(
        name=text(item.get("name")),
        arm=text(item.get("variant")),
        version=whole(item.get("version")),
        replicas=whole(item.get("replicas")),
        ready=whole(item.get("readyReplicas")),
        is_aborted=item.get("aborted") is True,
        warm_until=moment(item.get("warmUntil")),
        is_leaving=bool(item.get("drainsUntil")),
        message=text(item.get("message")),
    )


def _arms(status: Object | None) -> tuple[Arm, ...]:
    shadow = at(status, "shadow")
    found = [(text(item.get("name")), item) for item in items(at(status, "variants"))]
    found += [("shadow", shadow)] if isinstance(shadow, Mapping) else []
    return tuple(
        Arm(
            name=name,
            revision=text(item.get("revision")),
            coming=text(at(item, "candidate", "revision")),
            message=text(item.get("message")),
        )
        for name, item in found
    )


def _shares(status: Object | None) -> dict[str, Share]:
    return {
        text(item.get("revision")): Share(
            wanted=number(item.get("wanted")),
            programmed=number(item.get("programmed")),
            observed=number(item.get("observed")),
        )
        for item in items(at(status, "traffic"))
        if text(item.get("revision"))
    }
