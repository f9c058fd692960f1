"""The tree of a ModelDeployment: what serves, what comes, with which pods, and what is next."""

from collections.abc import Sequence
from datetime import datetime

from kubectl_modelfleet.seen.deployment import (
    Analysis,
    Candidate,
    Condition,
    Deployment,
    Revision,
    Share,
)
from kubectl_modelfleet.seen.pods import Pod
from kubectl_modelfleet.tree.lines import Line, Tone
from kubectl_modelfleet.tree.pods import pods_of
from kubectl_modelfleet.tree.words import age, counted, percent, span

_ALWAYS = {"Ready": Tone.WAITING, "Available": Tone.BAD}
# On the way is said by Ready.
_NEVER = "Reconciling"


def tree_of(deployment: Deployment, pods: Sequence[Pod] | None, now: datetime) -> Line:
    """Everything; `pods` is None where they may not be seen."""
    below = [
        *_conditions(deployment),
        *(_revision(deployment, item, pods, now) for item in _by_role(deployment)),
        *_strangers(deployment, pods or (), now),
        *_endings(deployment, pods),
    ]
    return Line(f"{deployment.name} in {deployment.namespace}", _tone_of(deployment), tuple(below))


def _tone_of(deployment: Deployment) -> Tone:
    if deployment.holds("Stalled"):
        return Tone.BAD
    is_good = deployment.holds("Ready") and deployment.is_current
    return Tone.GOOD if is_good else Tone.WAITING


def _conditions(deployment: Deployment) -> list[Line]:
    if not deployment.conditions:
        return [Line("no conditions: no operator has seen it yet", Tone.WAITING)]
    ready = deployment.condition("Ready")
    found = []
    for item in deployment.conditions:
        if item.type in _ALWAYS:
            tone = Tone.GOOD if item.status == "True" else _ALWAYS[item.type]
            found.append(Line(_said(item), tone))
        elif item.status == "True" and item.type != _NEVER:
            is_told = ready is not None and item.message == ready.message
            said = f"{item.type}=True" if is_told else _said(item)
            found.append(Line(said, Tone.BAD if item.type == "Stalled" else Tone.WAITING))
    return found


def _said(condition: Condition) -> str:
    return f"{condition.type}={condition.status} {condition.reason}: {condition.message}"


def _by_role(deployment: Deployment) -> list[Revision]:
    """Stable, candidate, the main model's others by name; then the variants and the shadow."""
    candidate = deployment.candidate.revision if deployment.candidate else ""
    first = {deployment.stable: 0, candidate: 1}
    arms = {"": 0} | {arm.name: place for place, arm in enumerate(deployment.arms, 1)}

    def place(item: Revision) -> tuple[int, int, str]:
        return arms.get(item.arm, len(arms)), first.get(item.name, 2), item.name

    return sorted(deployment.revisions, key=place)


def _revision(
    deployment: Deployment, revision: Revision, pods: Sequence[Pod] | None, now: datetime
) -> Line:
    candidate = deployment.candidate
    if candidate is not None and candidate.revision != revision.name:
        candidate = None
    own = [pod for pod in pods or () if pod.revision == revision.name]
    told = [_role(deployment, revision, now), revision.name, f"version {revision.version or '?'}"]
    if revision.ready is not None or revision.replicas is not None:
        told.append(f"{counted(revision.ready)}/{counted(revision.replicas)} ready")
    if share := deployment.shares.get(revision.name):
        told.append(_share(share))
    below = [
        *(_steps(candidate, deployment, now) if candidate else ()),
        *_words_of_arm(deployment, revision),
        *([Line(revision.message, Tone.BAD)] if revision.message else ()),
        *pods_of(own, now),
    ]
    return Line(" · ".join(told), _revision_tone(revision), tuple(below))


def _role(deployment: Deployment, revision: Revision, now: datetime) -> str:
    if revision.arm:
        return _role_in_arm(deployment, revision, now)
    if deployment.stable == revision.name:
        return "stable"
    if deployment.candidate and deployment.candidate.revision == revision.name:
        is_aborted = deployment.candidate.is_aborted or revision.is_aborted
        return "aborted" if is_aborted else "candidate"
    return _former(revision, now) or "revision"


def _role_in_arm(deployment: Deployment, revision: Revision, now: datetime) -> str:
    name = revision.arm if revision.arm == "shadow" else f"variant {revision.arm}"
    if any(arm.coming == revision.name for arm in deployment.arms):
        return f"{name}, next"
    former = _former(revision, now)
    return f"{name}, {former}" if former else name


def _former(revision: Revision, now: datetime) -> str:
    """How long one that no longer serves keeps its pods; empty for those that serve."""
    if revision.is_leaving:
        return "leaving"
    if revision.warm_until is None:
        return ""
    left = revision.warm_until - now
    return f"warm for {span(left)}" if left.total_seconds() > 0 else "leaving"


def _words_of_arm(deployment: Deployment, revision: Revision) -> list[Line]:
    """What a variant lacks, at the revision that it has, else at the one that it waits for."""
    return [
        Line(arm.message, Tone.WAITING)
        for arm in deployment.arms
        if arm.message and (arm.revision or arm.coming) == revision.name
    ]


def _revision_tone(revision: Revision) -> Tone:
    if revision.is_aborted or revision.message:
        return Tone.BAD
    is_whole = revision.ready is not None and revision.ready == revision.replicas
    return Tone.GOOD if is_whole else Tone.WAITING


def _share(share: Share) -> str:
    """One number while all agree; else each with its name."""
    is_followed = share.programmed == share.wanted
    told = [percent(share.wanted)]
    if not is_followed:
        programmed = "unknown" if share.programmed is None else percent(share.programmed)
        told = [f"{percent(share.wanted)} wanted", f"programmed: {programmed}"]
    if share.observed is not None:
        told.append(f"{percent(share.observed)} observed")
    return ", ".join(told)


def _steps(candidate: Candidate, deployment: Deployment, now: datetime) -> list[Line]:
    found = []
    if candidate.takes_steps:
        steps = (*deployment.wishes.steps, 100)
        at = " ".join(f"[{step}]" if step == candidate.target else str(step) for step in steps)
        since = f" for {age(candidate.since, now)}" if candidate.since else ""
        told = f"step {counted(candidate.step)} of {len(steps)} ({at} %): {candidate.state}{since}"
        found.append(Line(told, Tone.BAD if candidate.is_aborted else Tone.PLAIN))
    if candidate.abort:
        found.append(Line(candidate.abort, Tone.BAD))
    return [*found, *_analysis(candidate.analysis)]


def _analysis(analysis: Analysis) -> list[Line]:
    if not analysis.verdict and analysis.requests is None:
        return []
    verdict = analysis.verdict or "no verdict yet"
    seen = "" if analysis.requests is None else f", {analysis.requests} requests"
    bad = f", {analysis.bad_verdicts} bad so far" if analysis.bad_verdicts else ""
    why = f": {analysis.message}" if analysis.message else ""
    tones = {"Pass": Tone.GOOD, "Fail": Tone.BAD}
    return [Line(f"analysis: {verdict}{seen}{bad}{why}", tones.get(verdict, Tone.WAITING))]


def _strangers(deployment: Deployment, pods: Sequence[Pod], now: datetime) -> list[Line]:
    """Pods of revisions that the status no longer names: on their way out."""
    known = {item.name for item in deployment.revisions}
    others = [pod for pod in pods if pod.revision not in known]
    names = sorted({pod.revision for pod in others})
    return [
        Line(
            f"former · {name or 'no revision'}",
            Tone.FAINT,
            tuple(pods_of([pod for pod in others if pod.revision == name], now)),
        )
        for name in names
    ]


def _endings(deployment: Deployment, pods: Sequence[Pod] | None) -> list[Line]:
    found = []
    if back := deployment.rollback:
        told = f"rolled back: {back.to} serves although spec asks for {back.instead}"
        found.append(Line(told, Tone.WAITING))
    if deployment.next:
        found.append(Line(f"next: {deployment.next}"))
    if not deployment.is_current and deployment.conditions:
        found.append(Line("the operator has not seen the newest spec yet", Tone.WAITING))
    if pods is None:
        found.append(Line("pods are not shown: you may not list them here", Tone.FAINT))
    return found
