"""The objects that should exist for a choice of revisions."""

from model_operator.domain.manifests import Manifest
from model_operator.domain.observed import Observed
from model_operator.domain.revision import Revision, find, name_for, user_input
from model_operator.domain.spec import ModelDeployment
from model_operator.plan.course import Course
from model_operator.render.history import record
from model_operator.render.pod import pod_template
from model_operator.render.protection import disruption_budget, network_policy
from model_operator.render.service import service
from model_operator.render.workload import workload


def wanted_revision(
    deployment: ModelDeployment, observed: Observed, default_image: str
) -> Revision:
    """The revision the spec asks for, as remembered, or a new one; always the latest by number."""
    revisions = observed.revisions()
    latest = max((revision.number for revision in revisions), default=0)
    asked = user_input(deployment)
    if known := find(revisions, asked):
        number = known.number if known.number == latest else latest + 1
        return Revision(known.name, number, known.input, known.template)
    taken = {revision.name for revision in revisions}
    name = name_for(deployment.identity.name, asked, taken)
    return Revision(name, latest + 1, asked, pod_template(deployment, name, default_image))


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
        service(identity, choice.serving),
        *budget,
    ]
