"""What keeps a revision from being ready, in the words of whoever knows most of it."""

from model_operator.domain import names
from model_operator.domain.seen.observed import Observed
from model_operator.domain.seen.pods import Pod
from model_operator.domain.seen.troubles import UNSCHEDULABLE, Trouble, most_telling
from model_operator.plan.rollout.course import was_given_up
from model_operator.plan.status.gates import held_at_gates
from model_operator.plan.status.shortage import lacks_node, with_counts
from model_operator.plan.status.situation import Situation


def waits_for_node(situation: Situation) -> bool:
    """True when the wanted revision waits for a node with accelerators."""
    if situation.is_complete or situation.deployment.suspend:
        return False
    return lacks_node(situation.observed, situation.choice.wanted)


def trouble_in(situation: Situation, name: str) -> Trouble | None:
    """The trouble of a revision, with what the operator can add to it."""
    trouble = trouble_of(situation.observed, name)
    revision = situation.revisions().get(name)
    if trouble is None or revision is None:
        return trouble
    if trouble.reason == UNSCHEDULABLE and (held := held_at_gates(situation.observed, revision)):
        return held
    return with_counts(trouble, revision, situation.observed.inventory)


def trouble_of(observed: Observed, revision: str) -> Trouble | None:
    """What keeps a revision from being ready, for all its pods; the most telling of it."""
    workload = observed.workloads().get(revision)
    troubles = [workload.trouble] if workload and workload.trouble else []
    for group in observed.groups_of(revision):
        if group.trouble and not group.is_whole:
            said = f"group {group.number}: {group.trouble.message}"
            troubles.append(Trouble(group.trouble.reason, said))
    for pod in observed.pods_of(revision):
        if pod.trouble and not pod.is_ready:
            troubles.append(Trouble(pod.trouble.reason, f"{_whose(pod)}: {pod.trouble.message}"))
    return most_telling(troubles)


def _whose(pod: Pod) -> str:
    if not pod.group:
        return f"pod {pod.name}"
    return f"group {names.number_at_end(pod.group)}: member {pod.member}"


def cause_of(situation: Situation) -> str | None:
    """What kept the revision from being ready; its pods go, so the status remembers it."""
    name, before = situation.choice.wanted.name, situation.observed.status
    known = {item["name"]: item for item in before.get("revisions") or ()}
    trouble = None if was_given_up(before, name) else trouble_in(situation, name)
    return said(trouble) if trouble else known.get(name, {}).get("message")


def said(trouble: Trouble) -> str:
    return f"{trouble.reason}: {trouble.message}"
