"""One model of a ModelDeployment in a pass: what is seen of it, asked for, and decided."""

from dataclasses import dataclass, replace
from datetime import datetime

from model_operator.domain.seen.observed import Observed
from model_operator.domain.wish.arms import Arm
from model_operator.domain.wish.revision import Revision
from model_operator.domain.wish.spec import ModelDeployment
from model_operator.plan.rollout.change import enough
from model_operator.plan.rollout.choice import Candidates, Choice, choose, stand_in
from model_operator.plan.rollout.course import Clock, Course, clock_of, course_of, pods_of
from model_operator.plan.rollout.memory import kept_in
from model_operator.plan.rollout.steps import choice_of, kept_of, next_move, still_warm
from model_operator.plan.rollout.wish import Wish, wish_of


@dataclass(frozen=True)
class Track:
    """The main model, or an arm beside it. `observed` holds nothing of the others."""

    deployment: ModelDeployment
    observed: Observed
    wish: Wish
    course: Course
    clock: Clock

    @property
    def arm(self) -> Arm | None:
        """None for the main model."""
        return self.deployment.arm

    @property
    def serving(self) -> str:
        return self.course.choice.serving

    @property
    def is_ready(self) -> bool:
        """Whether a revision that is to get its requests has a replica ready."""
        workloads, weights = self.observed.workloads(), self.course.weights
        return any(
            workloads[name].ready > 0 for name in weights if weights[name] and name in workloads
        )


def track_of(
    deployment: ModelDeployment, observed: Observed, now: datetime, default_image: str
) -> Track:
    """The next step of one model, whatever the others do."""
    wish = wish_of(deployment, observed, default_image)
    previous = _previous(observed)
    made = None if deployment.suspend else next_move(deployment, observed, wish, previous, now)
    if made is not None and previous is not None:
        choice = choice_of(made, wish.revision, previous)
        clock = clock_of(observed, choice, now, deployment.suspend)
        other = _stand_in(deployment, observed, choice)
        course = Course(choice, deployment.replicas, move=made, stand_in=other)
    else:
        choice = _choice(deployment, observed, wish.revision, previous)
        clock = clock_of(observed, choice, now, deployment.suspend)
        course = course_of(deployment, observed, choice, clock)
    if course.stand_in is None:
        kept = kept_of(deployment, observed, course.in_use, now)
    else:
        # It is kept by what is seen, and not by a time that each pass would write anew.
        in_use = course.in_use | {course.stand_in}
        kept = kept_of(deployment, observed, in_use, now)
        kept |= still_warm(observed, course.stand_in, now)
    return Track(deployment, observed, wish, replace(course, kept=kept), clock)


def _previous(observed: Observed) -> str | None:
    """What serves by the status, which remembers it; if that was lost, by what leads to it."""
    return (observed.status.get("stable") or {}).get("revision") or observed.fallback()


def _choice(
    deployment: ModelDeployment, observed: Observed, wanted: Revision, previous: str | None
) -> Choice:
    if deployment.suspend:
        return Choice(wanted, previous)
    return choose(wanted, _candidates(deployment, observed, previous))


def _stand_in(deployment: ModelDeployment, observed: Observed, choice: Choice) -> str | None:
    warm = [name for name, kept in kept_in(observed.status).items() if kept.is_warm]
    return stand_in(choice, _candidates(deployment, observed, choice.stable), warm)


def _candidates(
    deployment: ModelDeployment, observed: Observed, previous: str | None
) -> Candidates:
    replicas, strategy = deployment.replicas, deployment.rollout.strategy
    old = pods_of(observed, previous) if previous in observed.workloads() else None
    return Candidates(
        revisions=observed.revisions(),
        workloads=observed.workloads(),
        previous=previous,
        enough=enough(strategy, replicas, old) if old and replicas else replicas,
    )
