"""The objects that nothing needs any more."""

from collections.abc import Collection, Iterable

from model_operator.domain import names
from model_operator.domain.manifests import (
    Manifest,
    ObjectKey,
    is_terminating,
    key_of,
    label_of,
)
from model_operator.domain.seen.observed import Observed
from model_operator.domain.wish.revision import forgettable
from model_operator.plan.arms.track import Track
from model_operator.plan.arms.tracks import Gone, Tracks
from model_operator.plan.groups.standing import groups_of

_OF_ONE_GROUP = frozenset({"StatefulSet", "NetworkPolicy"})


def undesired_guards(observed: Observed, desired: Iterable[Manifest]) -> tuple[ObjectKey, ...]:
    """What would hold up drains, or keep requests from pods.

    The budgets of more replicas than are wanted now, and where there is no router before them, the
    policies that let only routers reach groups.
    """
    wanted = {key_of(manifest) for manifest in desired}
    return tuple(
        key
        for key, seen in observed.children.items()
        if not is_terminating(seen) and _is_undesired(observed, key, wanted)
    )


def _is_undesired(observed: Observed, key: ObjectKey, wanted: Collection[ObjectKey]) -> bool:
    if key.kind == "NetworkPolicy":
        is_of_group = bool(label_of(observed.children[key], names.GROUP_LABEL))
        return is_of_group and not observed.is_behind_router
    return key.kind == "PodDisruptionBudget" and key not in wanted


def unneeded(tracks: Tracks, limit: int) -> tuple[ObjectKey, ...]:
    """Workloads without traffic or hope of it, and history beyond the limit."""
    keys = [key for track in tracks.all for key in _of_track(track, limit)]
    return (*keys, *(key for gone in tracks.gone for key in _of_gone(gone)))


def _of_track(track: Track, limit: int) -> tuple[ObjectKey, ...]:
    observed, course = track.observed, track.course
    idle = _idle(observed, course.in_use | course.left_alone)
    idle += _surplus(track)
    if observed.routing is None and track.arm is None:
        idle += [key for key in observed.children if key.kind == "ConfigMap"]
    in_use = course.choice.in_use | frozenset(observed.workloads())
    return _without_history(observed, idle, in_use, limit)


def _of_gone(gone: Gone) -> tuple[ObjectKey, ...]:
    idle = _idle(gone.observed, gone.kept.keys())
    return _without_history(gone.observed, idle, frozenset(gone.kept), limit=0)


def _idle(observed: Observed, needed: Collection[str]) -> list[ObjectKey]:
    pods = [key for key, revision in observed.objects_of_pods() if revision not in needed]
    services = observed.revision_services()
    if observed.routing:
        return [*pods, *(key for key in services if key.name not in needed)]
    # Clients that stay connected to a router to its end reach their pods by the Services.
    return [*pods, *(services if not observed.has_router_pods else ())]


def _surplus(track: Track) -> list[ObjectKey]:
    """Groups of revisions in use that are more than they should have, or are to begin anew."""
    groups = groups_of(track)
    return [
        key
        for key, revision in track.observed.objects_of_pods()
        if key.kind in _OF_ONE_GROUP and key.name not in groups.get(revision, (key.name,))
    ]


def _without_history(
    observed: Observed, idle: list[ObjectKey], in_use: frozenset[str], limit: int
) -> tuple[ObjectKey, ...]:
    forgotten = forgettable(observed.revisions(), in_use, limit)
    keys = [*idle, *(ObjectKey("ControllerRevision", revision.name) for revision in forgotten)]
    return tuple(key for key in keys if not is_terminating(observed.children[key]))
