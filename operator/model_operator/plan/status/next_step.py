"""What comes next, or what is waited for, in words."""

from model_operator.domain import conditions
from model_operator.plan.rollout.change import Phase
from model_operator.plan.status.situation import Situation


def next_step(situation: Situation) -> str | None:
    if situation.choice.is_promoted or situation.deployment.suspend:
        return None
    if made := situation.course.move:
        return f"{situation.choice.wanted.name}: {made.next}"
    wanted = situation.in_words()
    new, old = situation.choice.wanted.name, situation.choice.serving
    deadline = conditions.timestamp(situation.deadline)
    step = situation.course.step
    if situation.course.is_given_up:
        return f"{old} goes on; change spec, or raise spec.rollout.progressDeadlineSeconds"
    if situation.is_late:
        return f"{new} gets the traffic if it ever has {wanted} ready; change spec to try another"
    if step is None:
        return f"{new} gets the traffic when it has {wanted} ready; stalled if not by {deadline}"
    match step.phase:
        case Phase.WAITING:
            how = f"{new} waits for accelerators; {old} keeps its last ready replica"
        case Phase.DRAINING:
            how = f"{old} gives up replicas for {new}, which gets the traffic when it has as many"
        case _:
            how = f"{new} gets the traffic when it has {wanted} ready"
    return f"{how}; given up if not by {deadline}"
