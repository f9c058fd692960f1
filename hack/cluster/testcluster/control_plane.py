"""A control plane on loopback: etcd and an API server, for tests of what speaks to the API."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from testcluster import audit, binaries, commands, kwok, preflight, teardown
from testcluster.client import Client, begun_well
from testcluster.commands import Listening
from testcluster.credentials import Identities, identities
from testcluster.folders import ClusterFolder, one_at_a_time
from testcluster.ports import free_ports
from testcluster.processes import Placement, Processes
from testcluster.progress import Progress
from testcluster.state import Mode, State, write
from testcluster.teardown import processes_of

START_WITHIN = 180.0


@dataclass(frozen=True)
class Contents:
    """What a control plane has beside etcd and the API server."""

    controllers: bool = False
    kwok_nodes: int = 0
    accelerators: Mapping[str, int] = field(default_factory=dict)

    @property
    def has_controllers(self) -> bool:
        """Nodes need them: without a scheduler no pod would come to a node."""
        return self.controllers or self.kwok_nodes > 0

    @property
    def programs(self) -> list[str]:
        """The binaries it takes."""
        needed = ["etcd", "kube-apiserver", "kubectl"]
        if self.has_controllers:
            needed += ["kube-controller-manager", "kube-scheduler"]
        return needed + (["kwok"] if self.kwok_nodes else [])


class ControlPlane(Client):
    """A control plane that lives as long as a `with` block, and at most as long as its thread.

    In a folder of a name it is made by `up` instead, and lives until `down`.

    Raises:
        ClusterError: on entering, when a program cannot be built or does not come up.
    """

    def __init__(
        self,
        contents: Contents | None = None,
        folder: ClusterFolder | None = None,
        progress: Progress | None = None,
    ) -> None:
        super().__init__(folder or ClusterFolder(Path(tempfile.mkdtemp(prefix="control-plane-"))))
        self._contents = contents or Contents()
        self._progress = progress or Progress(quiet=True)
        self._processes = processes_of(self.folder, Placement(bound=folder is None))

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_how: object) -> None:
        self.stop()

    def up(self) -> None:
        """Make the control plane of a name, if it is not there; one that broke is made anew."""
        with one_at_a_time():
            if begun_well(self, Mode.CONTROL_PLANE, self._progress) is None:
                self.start()

    def start(self) -> None:
        """Build what is missing, start it all, and wait until it answers."""
        preflight.require(preflight.for_control_plane(self._contents.programs))
        binaries.provide(self._contents.programs, self._progress)
        api, etcd, peers, manager, scheduler, kwok_port = free_ports(6)
        at = Listening("127.0.0.1", api, etcd, peers)
        state = State(Mode.CONTROL_PLANE, api)
        write(state, self.folder.state)
        known = identities(self.folder, at, api)
        with self._progress.stage("Start etcd and the API server"):
            flags = commands.on_loopback(self._contents.has_controllers)
            start_api_server(self._processes, self.folder, ServerStart(at, known, flags))
            self._processes.wait_until(self.api.is_ready, "the API server is ready", START_WITHIN)
        if self._contents.has_controllers:
            with self._progress.stage("Start the controller manager and the scheduler"):
                start_controllers(self._processes, known, manager, scheduler)
                controllers = self.has_service_accounts
                self._processes.wait_until(controllers, "the controllers work", START_WITHIN)
        if self._contents.kwok_nodes:
            self._start_kwok(kwok_port)
        write(replace(state, complete=True), self.folder.state)

    def stop(self) -> None:
        """End its processes and remove its folder."""
        teardown.remove(self.folder)

    def _start_kwok(self, port: int) -> None:
        count, counts = self._contents.kwok_nodes, self._contents.accelerators
        with self._progress.stage(f"Make {count} nodes that kwok answers for"):
            program = binaries.location("kwok")
            command = commands.kwok(program, self.kubeconfig, kwok.STAGES, port)
            self._processes.start("kwok", command)
            kwok.make_nodes(self.api, count, counts)
            self._processes.wait_until(
                lambda: len(self.ready_nodes()) == count, "nodes are ready", START_WITHIN
            )


@dataclass(frozen=True)
class ServerStart:
    """With what an API server starts: where, with which credentials, with which more flags."""

    at: Listening
    known: Identities
    flags: Sequence[str]


def start_api_server(processes: Processes, folder: ClusterFolder, start: ServerStart) -> None:
    """Start etcd and the API server. They are not ready yet when this returns."""
    data = folder.inside("etcd")
    processes.start("etcd", commands.etcd(binaries.location("etcd"), data, start.at))
    policy = audit.write_policy(folder.path / "audit-policy.yaml")
    noted = commands.Audit(policy, folder.audit_log)
    program = binaries.location("kube-apiserver")
    command = commands.api_server(program, start.at, start.known.credentials, noted)
    # The API server tries again until etcd answers, so nothing waits here.
    processes.start("kube-apiserver", [*command, *start.flags])


def start_controllers(
    processes: Processes, known: Identities, manager_port: int, scheduler_port: int
) -> None:
    """Start the controller manager and the scheduler of an API server that is ready."""
    name = "kube-controller-manager"
    manager = commands.Controllers(known.controller_manager, manager_port)
    program = binaries.location(name)
    processes.start(name, commands.controller_manager(program, manager, known.credentials))
    name = "kube-scheduler"
    scheduler = commands.Controllers(known.scheduler, scheduler_port)
    processes.start(name, commands.scheduler(binaries.location(name), scheduler))
