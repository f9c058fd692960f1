"""The objects that should exist for what was decided about all models of a ModelDeployment."""

from model_operator.domain.manifests import Manifest
from model_operator.domain.wish.revision import Revision
from model_operator.plan.arms.record import traffic_of
from model_operator.plan.arms.track import Track
from model_operator.plan.arms.tracks import Tracks
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
        network_policy(identity),
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
    course = track.course
    remembered = {revision.name: revision for revision in track.observed.revisions()}
    remembered[course.choice.wanted.name] = course.choice.wanted
    # A workload whose history was deleted by hand is left as it is.
    served: list[Revision] = [
        remembered[name] for name in sorted(course.in_use) if name in remembered
    ]
    identity = track.deployment.identity
    return [workload(identity, revision, course.replicas_of(revision.name)) for revision in served]


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
    return [disruption_budget(deployment.identity, track.serving, deployment.arm_name)]


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
