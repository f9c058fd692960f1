"""What a pass has seen: children, pods and what stands in the way, as plain values."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from model_operator.domain import names
from model_operator.domain.evidence.counts import Told
from model_operator.domain.evidence.promql import Answers
from model_operator.domain.manifests import (
    Manifest,
    ObjectKey,
    controller_uid,
    key_of,
    label_of,
)
from model_operator.domain.placement.capacity import Inventory
from model_operator.domain.routing.routers import leads_to_router
from model_operator.domain.routing.traffic import Ports, Recorded, recorded
from model_operator.domain.seen.pods import Pod
from model_operator.domain.seen.troubles import Trouble
from model_operator.domain.seen.workloads import (
    Group,
    Workload,
    groups_of,
    workload_of,
    workload_of_groups,
)
from model_operator.domain.wish.revision import Revision


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
    are those of Prometheus to what the analysis asks. `group_troubles` tell by the names of groups
    what keeps their members from being created.
    """

    status: Manifest = field(default_factory=dict)
    children: Mapping[ObjectKey, Manifest] = field(default_factory=dict)
    pods: tuple[Pod, ...] = ()
    foreign: frozenset[ObjectKey] = frozenset()
    inventory: Inventory | None = None
    routing: Routing | None = None
    has_router_pods: bool = False
    answers: Answers = field(default_factory=Answers)
    group_troubles: Mapping[str, Trouble] = field(default_factory=dict)

    def workloads(self) -> dict[str, Workload]:
        """What keeps the pods of revisions, by revision name."""
        found = [workload_of(manifest) for manifest in self._of_kind("Deployment")]
        for revision, service in self._members_services().items():
            found.append(workload_of_groups(service, self.groups_of(revision)))
        return {workload.revision: workload for workload in found}

    def groups_of(self, revision: str) -> tuple[Group, ...]:
        """The groups of a revision that are there to stay, by number."""
        sets = [item for item in self._of_kind("StatefulSet") if _is_of(item, revision)]
        pods = [pod for pod in self.pods if pod.revision == revision]
        return groups_of(sets, pods, self.group_troubles)

    def placed(self, revision: str) -> int:
        """The replicas of a revision that nodes have taken; of a group, all members."""
        if revision in self._members_services():
            return sum(group.is_placed for group in self.groups_of(revision))
        return sum(bool(pod.node) for pod in self.pods_of(revision))

    def revisions(self) -> tuple[Revision, ...]:
        """The remembered revisions, the latest last."""
        found = (_revision(manifest) for manifest in self._of_kind("ControllerRevision"))
        return tuple(sorted(found, key=lambda revision: (revision.number, revision.name)))

    def service(self) -> Manifest | None:
        """The Service that clients know; those of revisions are for routers and members alone."""
        return next(filter(_is_entry, self._of_kind("Service")), None)

    def revision_services(self) -> list[ObjectKey]:
        """The Services of which routers read the pods."""
        found = self._of_kind("Service")
        return [key_of(item) for item in found if label_of(item, names.REVISION_LABEL)]

    def objects_of_pods(self) -> list[tuple[ObjectKey, str]]:
        """What keeps, guards and names the pods of revisions, and of which it is.

        Those that are of one group come first, and the Service that stands for all of them last.
        """
        found = [(key_of(item), key_of(item).name) for item in self._of_kind("Deployment")]
        by_group = [*self._of_kind("StatefulSet"), *self._of_kind("NetworkPolicy")]
        found += [
            (key_of(item), label_of(item, names.REVISION_LABEL))
            for item in by_group
            if label_of(item, names.GROUP_LABEL)
        ]
        return found + [(key_of(item), name) for name, item in self._members_services().items()]

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
    def is_behind_router(self) -> bool:
        """Whether routers alone send requests to pods; before and after that, clients do."""
        return self.routing is not None and self.is_through_router

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

    def _members_services(self) -> dict[str, Manifest]:
        """By the revision whose groups' members they name."""
        found = self._of_kind("Service")
        by_revision = {label_of(item, names.MEMBERS_LABEL): item for item in found}
        return {revision: item for revision, item in by_revision.items() if revision}

    def _of_kind(self, kind: str) -> list[Manifest]:
        return [manifest for key, manifest in self.children.items() if key.kind == kind]


def arm_of(manifest: Manifest) -> str:
    """The arm that an object belongs to; empty for what is the main model's or shared."""
    return label_of(manifest, names.ARM_LABEL)


def _is_of(manifest: Manifest, revision: str) -> bool:
    return label_of(manifest, names.REVISION_LABEL) == revision


def _is_shared(manifest: Manifest) -> bool:
    return manifest["kind"] == "ConfigMap" or _is_entry(manifest)


def _is_entry(manifest: Manifest) -> bool:
    """Whether it is the Service that clients know."""
    labels = (names.REVISION_LABEL, names.MEMBERS_LABEL)
    return manifest["kind"] == "Service" and not any(label_of(manifest, name) for name in labels)


def _shares(weights: Mapping[str, int]) -> dict[str, int]:
    return {name: weight for name, weight in weights.items() if weight}


def _revision(manifest: Manifest) -> Revision:
    return Revision(
        name=manifest["metadata"]["name"],
        number=int(manifest.get("revision") or 0),
        input=manifest["data"]["input"],
        template=manifest["data"]["template"],
    )
