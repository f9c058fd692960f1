"""Changes that go by steps of weight: what the observed state has to say to each move."""

from dataclasses import replace
from datetime import datetime, timedelta

from model_operator.domain.errors import InvalidSpec
from model_operator.domain.evidence.judgement import Judgement
from model_operator.domain.evidence.stage import Stage, State
from model_operator.domain.routing.headers import Requests
from model_operator.domain.seen.observed import Observed
from model_operator.domain.wish.revision import Revision
from model_operator.domain.wish.spec import ModelDeployment
from model_operator.plan.analysis.evidence import evidence_of
from model_operator.plan.analysis.judge import judge
from model_operator.plan.rollout.choice import Choice
from model_operator.plan.rollout.course import pods_of, room_for
from model_operator.plan.rollout.memory import Kept, kept_in, served_until_now, stage_in
from model_operator.plan.rollout.move import Move, Seen, move
from model_operator.plan.rollout.orders import orders_for
from model_operator.plan.rollout.wish import Wish

# What a bad candidate costs is paid by callers until it is noticed.
_BETWEEN_VERDICTS = timedelta(seconds=1)
_NO_WAY_YET = "its first step when the routers of the namespace know the model"
# Routers follow a record within a second; until then they send requests by the one before.
_HEARD_BY_ALL = timedelta(seconds=10)


def next_move(
    deployment: ModelDeployment, observed: Observed, wish: Wish, stable: str | None, now: datetime
) -> Move | None:
    """The move of a change that goes by steps; None for any other, and while nothing serves."""
    wanted = wish.revision
    takes_steps = deployment.rollout.steps and observed.routing and deployment.replicas
    if not takes_steps or stable is None or stable == wanted.name:
        return None
    if stable not in observed.workloads():
        return None
    rollout = deployment.rollout
    if not observed.is_through_router:
        # Weights mean nothing before the Service leads to a router.
        rollout = replace(rollout, is_paused=True)
    stage = stage_in(observed.status, wanted.name)
    choice = Choice(wanted, stable)
    is_known_good = wish.is_rollback or _is_warm(observed, wanted, now)
    # Whoever goes back does so because of what serves: nothing may keep them there.
    judgement = None if is_known_good else _judgement(deployment, observed, stage, choice)
    made = move(
        rollout,
        Seen(
            replicas=deployment.replicas,
            stable=pods_of(observed, stable),
            candidate=pods_of(observed, wanted.name),
            now=now,
            stage=stage,
            judgement=judgement,
            orders=orders_for(deployment, observed.status, wanted.name),
            is_known_good=is_known_good,
            room=room_for(deployment, observed, choice, now),
        ),
    )
    made = _looked_after(made, judgement, now)
    return made if observed.is_through_router else replace(made, next=_NO_WAY_YET)


def _judgement(
    deployment: ModelDeployment, observed: Observed, stage: Stage | None, choice: Choice
) -> Judgement | None:
    """What an analysis says of a candidate that goes by steps and was not turned away yet."""
    analysis = deployment.rollout.analysis
    if analysis is None or stage is None or stage.abort is not None:
        return None
    return judge(analysis, evidence_of(observed, choice.serving, choice.wanted.name))


def _looked_after(made: Move, judgement: Judgement | None, now: datetime) -> Move:
    """The move with what it was made by; while requests are judged, the next look is soon."""
    if judgement is None or made.state is State.PROMOTED:
        return made
    if made.stage.abort is not None or made.stage.weight == 0:
        return replace(made, judgement=judgement)
    soon = now + _BETWEEN_VERDICTS
    return replace(made, judgement=judgement, again_at=min(made.again_at or soon, soon))


def require_router(deployment: ModelDeployment, observed: Observed) -> None:
    """Refuse what only a router can follow where there is none.

    Raises:
        InvalidSpec: there are steps, variants, a shadow or wishes for requests, and no routers.
    """
    if observed.routing is not None:
        return
    asked = {
        "spec.rollout.steps": deployment.rollout.steps,
        "spec.variants": deployment.variants,
        "spec.shadow": deployment.shadow,
        "spec.traffic": deployment.requests != Requests(),
    }
    for field, is_asked in asked.items():
        if is_asked:
            raise InvalidSpec(
                field,
                "needs the router, which is switched off here; its administrator may set "
                "router.enabled",
            )


def choice_of(made: Move, wanted: Revision, stable: str) -> Choice:
    """What a move makes of the two revisions."""
    return Choice(wanted, wanted.name if made.state is State.PROMOTED else stable)


def _is_warm(observed: Observed, wanted: Revision, now: datetime) -> bool:
    return bool(still_warm(observed, wanted.name, now))


def kept_of(
    deployment: ModelDeployment, observed: Observed, in_use: frozenset[str], now: datetime
) -> dict[str, Kept]:
    """The former revisions that keep their pods for a while, and until when.

    One that served until now stays warm, unless it has made room for the other. Whatever got
    requests stays until routers know better.
    """
    workloads = observed.workloads()
    # While all is left as it is nobody stops serving, and what was kept goes on to be.
    found = {} if deployment.suspend else _kept_from_now(deployment, observed, now)
    for name, known in kept_in(observed.status).items():
        least = found[name].until if name in found else known.until
        found[name] = replace(known, until=max(known.until, least))
    return {
        name: kept
        for name, kept in found.items()
        if name in workloads and name not in in_use and kept.until > now
    }


def still_warm(observed: Observed, name: str, now: datetime) -> dict[str, Kept]:
    """Until when a revision is warm; empty for one that is not."""
    known = kept_in(observed.status).get(name)
    return {name: known} if known and known.is_warm and known.until > now else {}


def _kept_from_now(
    deployment: ModelDeployment, observed: Observed, now: datetime
) -> dict[str, Kept]:
    workloads, kept = observed.workloads(), {}
    least = _HEARD_BY_ALL if observed.routing else timedelta()
    former = (observed.status.get("stable") or {}).get("revision")
    for name in served_until_now(observed) & workloads.keys():
        is_warm, is_whole = name == former, workloads[name].replicas >= deployment.replicas
        warm = deployment.rollout.keep_warm if is_warm and is_whole else least
        kept[name] = Kept(now + max(least, warm), is_warm)
    return kept
