"""What a pass has seen: children, pods and what stands in the way, as plain values."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from model_operator.domain import names
from model_operator.domain.conditions import moment
from model_operator.domain.evidence.counts import Told
from model_operator.domain.evidence.promql import Answers
from model_operator.domain.manifests import (
    Manifest,
    ObjectKey,
    controller_uid,
    is_terminating,
    key_of,
    label_of,
    uid_of,
)
from model_operator.domain.placement.capacity import Inventory
from model_operator.domain.routing.routers import leads_to_router
from model_operator.domain.routing.traffic import Ports, Recorded, recorded
from model_operator.domain.seen.troubles import Trouble, trouble_of_pod, trouble_of_workload
from model_operator.domain.wish.revision import Revision

# Volumes are mounted and the network is made in seconds; what takes longer may be stuck.
STUCK_AFTER = timedelta(seconds=20)
OVERDUE_AFTER = timedelta(seconds=60)
_BEFORE_CONTAINERS = frozenset({"ContainerCreating", "PodInitializing"})


@dataclass(frozen=True)
class Pod:
    """A pod of a revision. `is_running` means that its server process was started.

    `node` is empty while no node has taken it, and again when it has ended there. `waits_since` is
    since when a node has it and no container has been made. `leaves_by` is when a pod that is on
    its way out should be gone. `arm` is empty for pods of the main model.
    """

    name: str
    revision: str
    ip: str
    is_running: bool
    is_ready: bool
    trouble: Trouble | None
    node: str = ""
    is_terminating: bool = False
    uid: str = ""
    arm: str = ""
    waits_since: datetime | None = None
    leaves_by: datetime | None = None

    def is_leaving(self, now: datetime) -> bool:
        """True when what it holds is free soon. On a node that was lost it may stay for ever."""
        is_overdue = self.leaves_by is not None and now >= self.leaves_by + OVERDUE_AFTER
        return self.is_terminating and not is_overdue

    def is_stuck(self, now: datetime) -> bool:
        """True when its containers should long have been made; only its events tell why not."""
        return self.waits_since is not None and now - self.waits_since >= STUCK_AFTER


@dataclass(frozen=True)
class Workload:
    """The Deployment of a revision, reduced to what decisions need.

    `is_current` means that all pods were made from the template that is wanted now.
    """

    revision: str
    replicas: int
    ready: int
    is_current: bool
    trouble: Trouble | None


@dataclass(frozen=True)
class Routing:
    """What is known of the router of the namespace.

    `ports` are those that this ModelDeployment has there, or would get. `programmed` are the
    percentages by revision that all its pods hold to, None while they differ or are silent.
    `routers` are its pods that take requests, and `told` what each has counted; that is asked for
    while requests are shared.
    """

    ports: Ports
    programmed: Mapping[str, int] | None = None
    routers: int = 1
    told: tuple[Told, ...] = ()

    def holds_to(self, weights: Mapping[str, int]) -> bool:
        """False when requests are known to go elsewhere, or nowhere."""
        if self.routers == 0:
            return False
        return self.programmed is None or _shares(self.programmed) == _shares(weights)


@dataclass(frozen=True)
class Observed:
    """All a plan may know of the cluster.

    `children` are controlled by the ModelDeployment. `foreign` are objects of others that bear a
    name it needs. `inventory` is None when the nodes were not looked at or may not be. `routing` is
    None where routers are switched off; `has_router_pods` says whether any still runs. `answers`
    are those of Prometheus to what the analysis asks.
    """

    status: Manifest = field(default_factory=dict)
    children: Mapping[ObjectKey, Manifest] = field(default_factory=dict)
    pods: tuple[Pod, ...] = ()
    foreign: frozenset[ObjectKey] = frozenset()
    inventory: Inventory | None = None
    routing: Routing | None = None
    has_router_pods: bool = False
    answers: Answers = field(default_factory=Answers)

    def workloads(self) -> dict[str, Workload]:
        """The Deployments of revisions, by revision name."""
        found = self._of_kind("Deployment")
        return {manifest["metadata"]["name"]: _workload(manifest) for manifest in found}

    def revisions(self) -> tuple[Revision, ...]:
        """The remembered revisions, the latest last."""
        found = (_revision(manifest) for manifest in self._of_kind("ControllerRevision"))
        return tuple(sorted(found, key=lambda revision: (revision.number, revision.name)))

    def service(self) -> Manifest | None:
        """The Service that clients know; those of revisions are for routers alone."""
        found = self._of_kind("Service")
        return next((item for item in found if not label_of(item, names.REVISION_LABEL)), None)

    def revision_services(self) -> list[ObjectKey]:
        """The Services of which routers read the pods."""
        found = (key for key in self.children if key.kind == "Service")
        return [key for key in found if label_of(self.children[key], names.REVISION_LABEL)]

    def record(self) -> Recorded | None:
        """The traffic record, if there is one."""
        found = (recorded(manifest) for manifest in self._of_kind("ConfigMap"))
        return next((record for record in found if record), None)

    @property
    def is_through_router(self) -> bool:
        """Whether requests reach a router first."""
        service = self.service()
        return service is not None and leads_to_router(service)

    @property
    def has_way(self) -> bool:
        """False when requests should pass a router, and there is none."""
        return not (self.is_through_router and self.routing and self.routing.routers == 0)

    def routed(self) -> str | None:
        """The revision that requests go to, or fall back to; None without a Service."""
        service = self.service()
        if service is None:
            return None
        if self.is_through_router and self.routing is None:
            # Where routers are switched off records may not be read; the last one said the same.
            return (self.status.get("stable") or {}).get("revision")
        if self.is_through_router:
            record = self.record()
            return (record.stable or None) if record else None
        revision = (service["spec"].get("selector") or {}).get(names.REVISION_LABEL)
        return str(revision) if revision else None

    def weights(self) -> dict[str, int]:
        """The percentage of requests that each revision gets; empty without a Service."""
        record = self.record()
        if self.is_through_router and record:
            return dict(record.weights)
        routed = self.routed()
        return {routed: 100} if routed else {}

    @property
    def is_shared(self) -> bool:
        """Whether several revisions get requests, or one that is not promoted yet."""
        record = self.record()
        reached = {name for name, weight in self.weights().items() if weight}
        reached |= record.chosen if record else set()
        candidate = (self.status.get("candidate") or {}).get("revision")
        return len(reached) > 1 or candidate in reached

    def answering(self) -> str | None:
        """A revision that requests reach and that has a replica ready for them."""
        return self.fallback() if self.has_way else None

    def fallback(self) -> str | None:
        """The same, whether there are routers just now or not."""
        workloads, weights = self.workloads(), self.weights()
        ready = [name for name in weights if name in workloads and workloads[name].ready > 0]
        reached = [name for name in ready if weights[name] > 0]
        routed = self.routed()
        return routed if routed in reached else min(reached, default=None)

    def pods_of(self, revision: str) -> tuple[Pod, ...]:
        """Those that are there to stay."""
        found = (pod for pod in self.pods if pod.revision == revision)
        return tuple(pod for pod in found if not pod.is_terminating)

    def arms(self) -> frozenset[str]:
        """The variants, and the shadow, that have objects, in the spec or not."""
        return frozenset(filter(None, map(arm_of, self.children.values())))

    def of_arm(self, arm: str, status: Manifest) -> "Observed":
        """The same without what belongs to other arms; `status` is what is remembered of this.

        The record and the Service that clients know belong to all. The arm of the main model is
        empty.
        """
        return replace(
            self,
            status=status,
            children={
                key: manifest
                for key, manifest in self.children.items()
                if arm_of(manifest) == arm or (not arm_of(manifest) and _is_shared(manifest))
            },
            pods=tuple(pod for pod in self.pods if pod.arm == arm),
        )

    def with_found(self, owner_uid: str, found: Iterable[Manifest]) -> "Observed":
        """The same with objects that a look at the API server itself brought to light."""
        children, foreign = dict(self.children), set(self.foreign)
        for manifest in found:
            if controller_uid(manifest) == owner_uid:
                children[key_of(manifest)] = manifest
            else:
                foreign.add(key_of(manifest))
        return replace(self, children=children, foreign=frozenset(foreign))

    def _of_kind(self, kind: str) -> list[Manifest]:
        return [manifest for key, manifest in self.children.items() if key.kind == kind]


def arm_of(manifest: Manifest) -> str:
    """The arm that an object belongs to; empty for what is the main model's or shared."""
    return label_of(manifest, names.ARM_LABEL)


def _is_shared(manifest: Manifest) -> bool:
    kind = manifest["kind"]
    is_entry = kind == "Service" and not label_of(manifest, names.REVISION_LABEL)
    return is_entry or kind == "ConfigMap"


def _shares(weights: Mapping[str, int]) -> dict[str, int]:
    return {name: weight for name, weight in weights.items() if weight}


def pod_of(manifest: Manifest) -> Pod:
    """A pod from its object."""
    status = manifest.get("status") or {}
    containers = status.get("containerStatuses") or ()
    conditions = status.get("conditions") or ()
    deleted = manifest["metadata"].get("deletionTimestamp")
    has_ended = status.get("phase") in {"Succeeded", "Failed"}
    return Pod(
        name=manifest["metadata"]["name"],
        revision=label_of(manifest, names.REVISION_LABEL),
        ip=status.get("podIP") or "",
        is_running=any("running" in (container.get("state") or {}) for container in containers),
        is_ready=any(item["type"] == "Ready" and item["status"] == "True" for item in conditions),
        trouble=trouble_of_pod(manifest),
        node="" if has_ended else (manifest.get("spec") or {}).get("nodeName") or "",
        is_terminating=is_terminating(manifest),
        uid=uid_of(manifest),
        arm=label_of(manifest, names.ARM_LABEL),
        leaves_by=moment(deleted) if deleted else None,
        waits_since=None if is_terminating(manifest) else _waits_since(status),
    )


def _waits_since(status: Manifest) -> datetime | None:
    reasons = {
        ((container.get("state") or {}).get("waiting") or {}).get("reason")
        for container in status.get("containerStatuses") or ()
    }
    began = status.get("startTime")
    return moment(began) if began and reasons & _BEFORE_CONTAINERS else None


def _workload(manifest: Manifest) -> Workload:
    status, metadata = manifest.get("status") or {}, manifest["metadata"]
    replicas = int(manifest["spec"].get("replicas", 1))
    is_seen = int(status.get("observedGeneration") or 0) >= int(metadata.get("generation") or 0)
    return Workload(
        revision=metadata["name"],
        replicas=replicas,
        ready=int(status.get("readyReplicas") or 0),
        is_current=is_seen and int(status.get("updatedReplicas") or 0) >= replicas,
        trouble=trouble_of_workload(manifest),
    )


def _revision(manifest: Manifest) -> Revision:
    return Revision(
        name=manifest["metadata"]["name"],
        number=int(manifest.get("revision") or 0),
        input=manifest["data"]["input"],
        template=manifest["data"]["template"],
    )
