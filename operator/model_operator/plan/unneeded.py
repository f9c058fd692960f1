"""The objects that nothing needs any more."""

from collections.abc import Collection, Iterable

from model_operator.domain.manifests import Manifest, ObjectKey, is_terminating, key_of
from model_operator.domain.seen.observed import Observed
from model_operator.domain.wish.revision import forgettable
from model_operator.plan.arms.track import Track
from model_operator.plan.arms.tracks import Gone, Tracks


def undesired_budgets(observed: Observed, desired: Iterable[Manifest]) -> tuple[ObjectKey, ...]:
    """The budgets of more replicas than are wanted now: they would hold up drains."""
    wanted = {key_of(manifest) for manifest in desired}
    return tuple(
        key
        for key, seen in observed.children.items()
        if key.kind == "PodDisruptionBudget" and key not in wanted and not is_terminating(seen)
    )


def unneeded(tracks: Tracks, limit: int) -> tuple[ObjectKey, ...]:
    """Workloads without traffic or hope of it, and history beyond the limit."""
    keys = [key for track in tracks.all for key in _of_track(track, limit)]
    return (*keys, *(key for gone in tracks.gone for key in _of_gone(gone)))


def _of_track(track: Track, limit: int) -> tuple[ObjectKey, ...]:
    observed, course = track.observed, track.course
    idle = _idle(observed, course.in_use | course.kept.keys())
    if observed.routing is None and track.arm is None:
        idle += [key for key in observed.children if key.kind == "ConfigMap"]
    in_use = course.choice.in_use | frozenset(observed.workloads())
    return _without_history(observed, idle, in_use, limit)


def _of_gone(gone: Gone) -> tuple[ObjectKey, ...]:
    idle = _idle(gone.observed, gone.kept.keys())
    return _without_history(gone.observed, idle, frozenset(gone.kept), limit=0)


def _idle(observed: Observed, needed: Collection[str]) -> list[ObjectKey]:
    pods = [ObjectKey("Deployment", name) for name in observed.workloads()]
    services = observed.revision_services()
    if observed.routing:
        return [key for key in (*pods, *services) if key.name not in needed]
    # Clients that stay connected to a router to its end reach their pods by the Services.
    return [
        *(key for key in pods if key.name not in needed),
        *(services if not observed.has_router_pods else ()),
    ]


def _without_history(
    observed: Observed, idle: list[ObjectKey], in_use: frozenset[str], limit: int
) -> tuple[ObjectKey, ...]:
    forgotten = forgettable(observed.revisions(), in_use, limit)
    keys = [*idle, *(ObjectKey("ControllerRevision", revision.name) for revision in forgotten)]
    return tuple(key for key in keys if not is_terminating(observed.children[key]))
