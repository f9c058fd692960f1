"""A whole cluster: control plane and nodes in network namespaces of their own, with containers.

Everything is in namespaces without a way out, so nothing in the cluster can reach the machine's
network, and any number of clusters use the same addresses. The machine reaches the API server
through a port on its loopback, which a small program carries inside (`forward`): no interface,
route or address is added to the machine, any user's kubectl and Python clients work, and
`kubectl port-forward` and `exec` go the same way.

What the cluster runs is in one cgroup, and what it mounts in mount namespaces that end with its
processes. So `down` needs no list of what there is: it ends what is in the cgroup, and removes
cgroup, network namespaces and folder.
"""

import sys
from dataclasses import dataclass, replace

from testcluster import (
    binaries,
    cgroups,
    commands,
    dns,
    forward,
    images,
    network,
    preflight,
    state,
)
from testcluster import node as nodes
from testcluster.addresses import Node, prefix
from testcluster.addresses import nodes as first_nodes
from testcluster.client import Client, begun_well
from testcluster.commands import Listening
from testcluster.control_plane import (
    START_WITHIN,
    ServerStart,
    start_api_server,
    start_controllers,
)
from testcluster.credentials import Identities, identities
from testcluster.folders import folder_of, one_at_a_time
from testcluster.node import Membership
from testcluster.ports import listener
from testcluster.processes import Placement, Processes
from testcluster.progress import Progress
from testcluster.state import Mode, State
from testcluster.teardown import processes_of

PROGRAMS = [
    *("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"),
    *("kubelet", "kube-proxy", "kubectl", "coredns", "pod"),
]
_API_PORT = 6443


@dataclass(frozen=True)
class Wish:
    """What a cluster should have. `port` is the API server's on loopback, 0 for any free one."""

    nodes: int = 1
    accelerators: tuple[tuple[str, int], ...] = ()
    port: int = 0


class Cluster(Client):
    """A whole cluster by name; it lives until `down`, beyond this program."""

    def __init__(self, name: str = "modelfleet", progress: Progress | None = None) -> None:
        super().__init__(folder_of(name))
        self._progress = progress or Progress(quiet=True)

    def up(self, wish: Wish = Wish()) -> None:
        """Make the cluster, or whatever is missing of it; quick when nothing is.

        One that was interrupted or lost a process is made anew.

        Raises:
            ClusterError: something is missing on this machine, or a program did not come up.
        """
        with one_at_a_time():
            known = begun_well(self, Mode.WHOLE, self._progress)
            if known is None:
                preflight.require(preflight.for_cluster(self.folder, PROGRAMS, wish.port))
            self._grow(known, wish)

    def load(self, image: str) -> None:
        """Bring an image from buildah's storage to every node; quick where they have it.

        Raises:
            ClusterError: there is no such image.
        """
        with self._progress.stage(f"Load {image}"):
            images.load(image, [nodes.files_of(self.folder, node) for node in self.nodes()])

    def nodes(self) -> list[Node]:
        """The nodes that it has."""
        return first_nodes(self.name, self.state.nodes)

    def inside(self, *command: str, node: str = "node-1") -> list[str]:
        """A command that runs in the network of a node, from where pods and Services answer."""
        place = next(one for one in self.nodes() if one.name == node)
        return [*network.inside(place), *command]

    def _grow(self, known: State | None, wish: Wish) -> None:
        have = known.nodes if known else 0
        added = first_nodes(self.name, wish.nodes)[have:]
        if added:
            binaries.provide(PROGRAMS, self._progress)
            # Should this be interrupted, the next `up` finds it incomplete and begins anew.
            begun = self._begin(wish.port) if known is None else None
            state.write(replace(self.state, complete=False), self.folder.state)
            self._add(added, begun)
            finished = replace(self.state, nodes=wish.nodes, complete=True)
            state.write(finished, self.folder.state)
        if wish.accelerators:
            for node in self.nodes():
                self.accelerate(node.name, dict(wish.accelerators))

    def _begin(self, wanted_port: int) -> Identities:
        """Start etcd, the API server and the way to it; none is ready yet."""
        first = Node(self.name, 1)
        with self._progress.stage("Make the network and the certificates"):
            with listener(wanted_port) as on_loopback:
                port = on_loopback.getsockname()[1]
                # Before anything is made, so that the next `up` knows whose it is.
                state.write(State(Mode.WHOLE, port), self.folder.state)
                cgroups.make(prefix(self.name), [])
                network.make(first, [])
                carry = [sys.executable, forward.__file__, first.address, str(_API_PORT)]
                processes = self._processes()
                processes.start("forward", carry, inherited=on_loopback.fileno())
            at = Listening(first.address, _API_PORT, 2379, 2380)
            known = identities(self.folder, at, port)
        flags = commands.for_kubelets(known.credentials)
        start_api_server(processes, self.folder, ServerStart(at, known, flags))
        return known

    def _add(self, added: list[Node], begun: Identities | None) -> None:
        member = Membership(self.folder, self._processes(), f"https://10.199.0.1:{_API_PORT}")
        for node in added:
            with self._progress.stage(f"Start containerd on {node.name}"):
                cgroups.make(prefix(self.name), [node.name])
                if node.number > 1:
                    network.make(node, first_nodes(self.name, node.number - 1))
                nodes.start_containerd(member, node)
                images.import_own(nodes.files_of(self.folder, node))
        if begun is not None:
            with self._progress.stage("Start the control plane"):
                member.processes.wait_until(self.api.is_ready, "the API server", START_WITHIN)
                start_controllers(member.processes, begun, 10257, 10259)
                dns.install(self.api)
        with self._progress.stage("Wait until the nodes are ready and the DNS answers"):
            for node in added:
                nodes.start_kubelet(member, node)
            count = added[-1].number
            member.processes.wait_until(lambda: self._serves(count), "nodes, DNS", START_WITHIN)

    def _serves(self, count: int) -> bool:
        return len(self.ready_nodes()) == count and dns.is_available(self.api)

    def _processes(self) -> Processes:
        place = network.inside(Node(self.name, 1))
        return processes_of(self.folder, Placement(cgroups.of_processes(prefix(self.name)), place))
