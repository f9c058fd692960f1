"""The objects that should exist for a choice of revisions."""

from model_operator.domain.manifests import Manifest
from model_operator.domain.observed import Observed
from model_operator.domain.spec import Identity, ModelDeployment
from model_operator.domain.traffic import Share, Traffic
from model_operator.plan.rollout.course import Course
from model_operator.render.history import record
from model_operator.render.protection import disruption_budget, network_policy
from model_operator.render.service import service
from model_operator.render.traffic import entry_service, revision_service, traffic_record
from model_operator.render.workload import workload


def desired_objects(
    deployment: ModelDeployment, observed: Observed, course: Course
) -> list[Manifest]:
    """In the order in which they are to be made: memory, guard, pods, traffic."""
    identity, choice = deployment.identity, course.choice
    remembered = {revision.name: revision for revision in observed.revisions()}
    remembered[choice.wanted.name] = choice.wanted
    # A workload whose history was deleted by hand is left as it is.
    served = [remembered[name] for name in sorted(course.in_use) if name in remembered]
    # With one replica a budget would only hold up drains: there is no other to wait for.
    budget = [disruption_budget(identity, choice.serving)] if deployment.replicas > 1 else []
    return [
        record(identity, choice.wanted),
        network_policy(identity),
        *(workload(identity, revision, course.replicas_of(revision.name)) for revision in served),
        *_routes(identity, observed, course),
        *budget,
    ]


def _routes(identity: Identity, observed: Observed, course: Course) -> list[Manifest]:
    """Where requests go: by the Service itself, or by a record for the router it leads to."""
    serving = course.choice.serving
    if observed.routing is None:
        return [service(identity, serving)]
    ports, weights = observed.routing.ports, course.weights
    # By name, so that revisions keep their order from one record to the next.
    split = tuple(Share(name, weights[name]) for name in sorted(weights))
    # A Service that leads to pods goes on to do so until all routers know the model.
    is_taken_over = observed.is_through_router or observed.service() is None
    is_taken_over = is_taken_over or observed.routing.programmed == weights
    return [
        *(revision_service(identity, name) for name in sorted(course.in_use)),
        traffic_record(identity, Traffic(ports, split), serving),
        entry_service(identity, ports) if is_taken_over else service(identity, serving),
    ]
