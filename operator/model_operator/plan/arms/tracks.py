"""All models of a ModelDeployment in a pass, and how the requests are shared between them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from model_operator.domain.seen.observed import Observed
from model_operator.domain.wish.spec import ModelDeployment
from model_operator.plan.arms.memory import status_of_arm
from model_operator.plan.arms.shares import shares_of
from model_operator.plan.arms.track import Track, track_of
from model_operator.plan.rollout.memory import Kept
from model_operator.plan.rollout.steps import kept_of


@dataclass(frozen=True)
class Gone:
    """An arm that the spec no longer has. `kept` says until when pods of its revisions stay."""

    arm: str
    observed: Observed
    kept: Mapping[str, Kept]


@dataclass(frozen=True)
class Tracks:
    """The main model, the arms in the order of the spec (the shadow last), and those that go."""

    main: Track
    arms: tuple[Track, ...] = ()
    gone: tuple[Gone, ...] = ()

    @property
    def all(self) -> tuple[Track, ...]:
        return (self.main, *self.arms)

    @property
    def weights(self) -> dict[str, int]:
        """The percentage of all requests for each revision; an arm without any is left out."""
        variants = {
            track.serving: track.arm.weight
            for track in self.arms
            if track.arm and track.arm.weight and track.is_ready
        }
        return shares_of(self.main.course.weights, self.main.is_ready, variants)


def tracks_of(
    deployment: ModelDeployment, observed: Observed, now: datetime, default_image: str
) -> Tracks:
    """The next steps of all models of a ModelDeployment."""
    main = track_of(deployment, observed.of_arm("", observed.status), now, default_image)
    arms = tuple(
        track_of(deployment.of_arm(arm), _view(observed, arm.name), now, default_image)
        for arm in deployment.arms
    )
    asked = {arm.name for arm in deployment.arms}
    gone = tuple(_gone(deployment, observed, arm, now) for arm in sorted(observed.arms() - asked))
    return Tracks(main, arms, gone)


def _view(observed: Observed, arm: str) -> Observed:
    return observed.of_arm(arm, status_of_arm(observed.status, arm))


def _gone(deployment: ModelDeployment, observed: Observed, arm: str, now: datetime) -> Gone:
    """Its pods stay until all routers send requests elsewhere, as those of a former revision."""
    view = _view(observed, arm)
    not_warm = replace(deployment.rollout, keep_warm=timedelta())
    kept = kept_of(replace(deployment, rollout=not_warm), view, frozenset(), now)
    return Gone(arm, view, kept)
