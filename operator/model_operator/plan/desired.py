"""The objects that should exist for what was decided about all models of a ModelDeployment."""

from collections.abc import Sequence

from model_operator.domain.manifests import Manifest
from model_operator.domain.wish.revision import Revision
from model_operator.plan.arms.record import traffic_of
from model_operator.plan.arms.track import Track
from model_operator.plan.arms.tracks import Tracks
from model_operator.plan.groups.standing import groups_of
from model_operator.render.groups.group import group, group_policy, members_service
from model_operator.render.history import record
from model_operator.render.protection import disruption_budget, network_policy
from model_operator.render.service import service
from model_operator.render.traffic import entry_service, revision_service, traffic_record
from model_operator.render.workload import workload


def desired_objects(tracks: Tracks) -> list[Manifest]:
    """In the order in which they are to be made: memory, guard, pods, traffic, and the arms."""
    main = tracks.main
    identity = main.deployment.identity
    return [
        record(identity, main.course.choice.wanted),
        network_policy(identity, _has_groups_behind_router(main), _has_slices(tracks)),
        *_workloads(main),
        *_revision_services(main),
        *_routes(tracks),
        *_budget(main),
        # Last, so that nothing about them can hold up the main model.
        *(manifest for track in tracks.arms for manifest in _arm(track)),
    ]


def _arm(track: Track) -> list[Manifest]:
    identity = track.deployment.identity
    return [
        record(identity, track.course.choice.wanted),
        *_workloads(track),
        *_revision_services(track),
        *_budget(track),
    ]


def _workloads(track: Track) -> list[Manifest]:
    course, identity = track.course, track.deployment.identity
    remembered = _remembered(track)
    # A workload whose history was deleted by hand is left as it is.
    served = [remembered[name] for name in sorted(course.in_use) if name in remembered]
    groups = groups_of(track)
    found: list[Manifest] = []
    for revision in served:
        replicas = course.replicas_of(revision.name)
        if revision.name in groups:
            found.append(members_service(identity, revision, replicas))
            found += _groups(track, revision, groups[revision.name])
        else:
            found.append(workload(identity, revision, replicas))
    return found


def _groups(track: Track, revision: Revision, groups: Sequence[str]) -> list[Manifest]:
    identity = track.deployment.identity
    found = [group(identity, revision, name) for name in groups]
    if track.observed.is_behind_router:
        found += [group_policy(identity, revision, name) for name in groups]
    return found


def _has_groups_behind_router(track: Track) -> bool:
    observed = track.observed
    is_divided = any(key.kind == "StatefulSet" for key in observed.children)
    return observed.is_behind_router and (is_divided or track.deployment.sharding is not None)


def _has_slices(tracks: Tracks) -> bool:
    return any(
        revision.is_slice
        for track in tracks.all
        for revision in _remembered(track).values()
        if revision.name in track.course.in_use | track.course.left_alone
    )


def _remembered(track: Track) -> dict[str, Revision]:
    remembered = {revision.name: revision for revision in track.observed.revisions()}
    return remembered | {track.course.choice.wanted.name: track.course.choice.wanted}


def _revision_services(track: Track) -> list[Manifest]:
    if track.observed.routing is None:
        return []
    identity, arm = track.deployment.identity, track.deployment.arm_name
    return [revision_service(identity, name, arm) for name in sorted(track.course.in_use)]


def _budget(track: Track) -> list[Manifest]:
    # With one replica a budget would only hold up drains: there is no other to wait for.
    deployment = track.deployment
    if deployment.replicas < 2:
        return []
    serving = _remembered(track).get(track.serving)
    is_divided = serving is not None and serving.shards is not None
    return [disruption_budget(deployment.identity, track.serving, deployment.arm_name, is_divided)]


def _routes(tracks: Tracks) -> list[Manifest]:
    """Where requests go: by the Service itself, or by a record for the router it leads to."""
    main = tracks.main
    identity, observed = main.deployment.identity, main.observed
    if observed.routing is None:
        return [service(identity, main.serving)]
    ports = observed.routing.ports
    # A Service that leads to pods goes on to do so until all routers know the model.
    is_taken_over = observed.is_through_router or observed.service() is None
    is_taken_over = is_taken_over or observed.routing.programmed == tracks.weights
    return [
        traffic_record(identity, traffic_of(tracks, ports), main.serving),
        entry_service(identity, ports) if is_taken_over else service(identity, main.serving),
    ]
