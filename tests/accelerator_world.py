"""A simulated world with few accelerators: its scheduler, kubelets and Deployment controller."""

import itertools
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from model_operator.domain.manifests import ObjectKey
from model_operator.domain.placement.capacity import Inventory, Node, Use
from model_operator.domain.routing.traffic import Ports
from model_operator.domain.seen.observed import Routing
from model_operator.domain.seen.pods import Pod
from model_operator.domain.seen.troubles import Trouble
from simulated_world import World, model_deployment

GPU = "nvidia.com/gpu"
NODE = "gpu-1"
FULL = Trouble("Unschedulable", f"0/1 nodes are available: 1 Insufficient {GPU}.")


@dataclass
class SimulatedPod:
    name: str
    revision: str
    is_refused: bool = False
    is_placed: bool = False
    is_ready: bool = False
    is_terminating: bool = False
    leaves_by: datetime | None = None

    def seen(self) -> Pod:
        return Pod(
            name=self.name,
            revision=self.revision,
            ip="",
            is_running=self.is_placed,
            is_ready=self.is_ready,
            trouble=FULL if self.is_refused else None,
            node=NODE if self.is_placed else "",
            is_terminating=self.is_terminating,
            leaves_by=self.leaves_by,
        )


@dataclass
class AcceleratorWorld:
    """One node with `slots` GPUs, of which every pod takes one, and others take `others`.

    Pods of revisions in `broken` do not get ready, and those that are ready do not stay so.
    """

    slots: int
    replicas: int
    capacity: str
    shows_nodes: bool = True
    others: int = 0
    steps: tuple[int, ...] = ()
    broken: set[str] = field(default_factory=set)
    pods: list[SimulatedPod] = field(default_factory=list)
    _numbers: Any = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        resources = {"resources": {"limits": {GPU: 1}}}
        rollout = {"capacity": self.capacity, "progressDeadlineSeconds": 600, "keepWarmSeconds": 0}
        if self.steps:
            rollout["steps"] = [{"weight": weight} for weight in self.steps]
        body = model_deployment(serving=resources, replicas=self.replicas, rollout=rollout)
        self.world = World(body)
        if self.steps:
            self.world.routing = Routing(Ports(20000, 20001))

    def run_pass(self) -> None:
        """One pass; a pass that takes the last ready replica is a failure."""
        answered = self.ready(self.world.routed())
        self.world.step()
        self.control()
        if answered and self.world.body["spec"]["replicas"] and not self.ready(self.world.routed()):
            raise AssertionError(f"{answered} answered, and now nothing does")

    def control(self) -> None:
        """The Deployment controller: pods by the number that is asked for, the worst go first."""
        asked = {
            name: self.world.children[ObjectKey("Deployment", name)]["spec"]["replicas"]
            for name in self.world.deployments()
        }
        for name in sorted({*asked, *(pod.revision for pod in self.pods)}):
            present = [pod for pod in self.of(name) if not pod.is_terminating]
            missing = asked.get(name, 0) - len(present)
            numbers = itertools.islice(self._numbers, max(0, missing))
            self.pods += [SimulatedPod(f"p-{number}", name) for number in numbers]
            present.sort(key=lambda pod: (pod.is_ready, pod.is_placed))
            for pod in present[: max(0, -missing)]:
                pod.is_terminating, pod.leaves_by = True, self.world.now
        self.pods = [pod for pod in self.pods if pod.is_placed or not pod.is_terminating]
        self.show()

    def schedule(self) -> None:
        free = self.free()
        for pod in self.pods:
            if not pod.is_placed:
                pod.is_placed, pod.is_refused = free > 0, free <= 0
                free -= 1
        self.show()

    def start(self) -> None:
        """Every pod with a node gets ready."""
        for pod in self.pods:
            is_well = pod.is_placed and pod.revision not in self.broken
            pod.is_ready = is_well and not pod.is_terminating
        self.show()

    def leave(self) -> None:
        """Pods that are on their way out are gone."""
        self.pods = [pod for pod in self.pods if not pod.is_terminating]
        self.show()

    def live(self, passes: int = 40) -> None:
        """Everybody does their part for a while; it ends after the deadline of any change."""
        for _ in range(passes):
            self.run_pass()
            self.leave()
            self.schedule()
            self.start()
            self.world.wait(seconds=30)

    def show(self) -> None:
        """Let the operator see the present state."""
        self.world.pods = tuple(pod.seen() for pod in self.pods)
        held = self.others + sum(pod.is_placed for pod in self.pods)
        nodes = Inventory((Node(NODE, {}, (), {GPU: self.slots}),), (Use(NODE, {GPU: held}),))
        self.world.inventory = nodes if self.shows_nodes else None
        for name in self.world.deployments():
            self.world.make_ready(name, len(self.ready(name)))

    def of(self, revision: str) -> list[SimulatedPod]:
        return [pod for pod in self.pods if pod.revision == revision]

    def ready(self, revision: str | None) -> list[SimulatedPod]:
        return [pod for pod in self.of(revision or "") if pod.is_ready and not pod.is_terminating]

    def free(self) -> int:
        return self.slots - self.others - sum(pod.is_placed for pod in self.pods)
