"""One point after the other, all servers in turns, so that noise of the machine meets all."""

import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.serving.environments import NotInstallable, environment
from benchmarks.serving.load import Clients, Seen, over_grpc, over_rest
from benchmarks.serving.models import Model
from benchmarks.serving.peers import Peer, Start, python_of_ours
from benchmarks.serving.processes import NoAnswer, Server, grpc_answer_bytes, serving
from benchmarks.serving.wire import Protocol


@dataclass(frozen=True)
class Load:
    """An API and how many clients; ``streams`` on each connection at a time."""

    api: str
    connections: int
    streams: int = 1

    @property
    def concurrency(self) -> int:
        """Requests at a time."""
        return self.connections * self.streams

    def __str__(self) -> str:
        if self.streams == 1:
            return f"{self.api}, c={self.connections}"
        return f"{self.api}, c={self.streams} on one connection"


@dataclass(frozen=True)
class Point:
    """What one server did under one load: medians over the rounds, and the rates of each."""

    model: str
    server: str
    load: str
    rate: float
    p50: float
    p99: float
    cpu_micros: float
    failed: int
    rates: Sequence[float]


@dataclass(frozen=True)
class Standing:
    """A server without load: seconds to its first right answer, memory after all loads."""

    model: str
    server: str
    start_seconds: float
    memory_mib: float


@dataclass(frozen=True)
class Skipped:
    """A server that could not be measured, and why."""

    model: str
    server: str
    reason: str


@dataclass(frozen=True)
class Plan:
    """What to measure of each model: for so many seconds a point, in so many rounds."""

    loads: Sequence[Load]
    seconds: float
    rounds: int
    folder: Path
    tell: Callable[[str], None] = print


@dataclass(frozen=True)
class _Up:
    peer: Peer
    server: Server
    protocol: Protocol
    answer_bytes: int


def measured(
    model: Model, peers: Iterable[Peer], plan: Plan
) -> Iterator[Point | Standing | Skipped]:
    """All points of one model; each peer is started once and serves all rounds."""
    with ExitStack() as running:
        up: list[_Up] = []
        for peer in peers:
            try:
                up.append(_started(running, peer, model, plan))
            except (NotInstallable, NoAnswer, OSError) as error:
                plan.tell(f"  {peer.name} is skipped: {error}")
                yield Skipped(model.name, peer.name, str(error))
        for load in plan.loads:
            yield from _points(model, load, up, plan)
        for each in up:
            memory = each.server.memory_mib()
            yield Standing(model.name, each.peer.name, each.server.started_in, memory)


def _started(running: ExitStack, peer: Peer, model: Model, plan: Plan) -> _Up:
    python = python_of_ours()
    if peer.needs:
        python = environment(plan.folder / "environments" / peer.folder, peer.needs)
    folder = plan.folder / "servers" / f"{peer.folder}-{model.name}"
    folder.mkdir(parents=True, exist_ok=True)
    log = running.enter_context((folder / "log").open("ab"))
    protocol = peer.protocol(model)
    command = peer.command(Start(python, model, folder))
    server = running.enter_context(serving(command, protocol, model.answer, log))
    plan.tell(f"  {peer.name}: right answer after {server.started_in:.1f} s")
    size = grpc_answer_bytes(command.grpc_port, protocol)
    return _Up(peer, server, protocol, size)


def _points(model: Model, load: Load, up: Sequence[_Up], plan: Plan) -> Iterator[Point]:
    seen: dict[str, list[tuple[Seen, float]]] = {}
    for _ in range(plan.rounds):
        for each in up:
            if load.api == "REST" and each.server.command.rest_port is None:
                continue
            before = each.server.cpu_seconds()
            found = _asked(each, load, plan.seconds)
            cpu = each.server.cpu_seconds() - before
            # What the warm-up took is in there, too, at the same rate.
            counted = found.requests * (1 + 1 / plan.seconds) or 1
            seen.setdefault(each.peer.name, []).append((found, cpu / counted * 1e6))
    for name, rounds in seen.items():
        point = _point(model.name, name, load, rounds)
        plan.tell(
            f"  {load}: {name}: {point.rate:,.0f} requests/s, p50 {point.p50:.2f} ms,"
            f" p99 {point.p99:.2f} ms, {point.cpu_micros:,.0f} µs CPU"
            + (f", {point.failed} failed" if point.failed else "")
        )
        yield point


def _asked(each: _Up, load: Load, seconds: float) -> Seen:
    clients = Clients(load.connections, load.streams, seconds)
    command = each.server.command
    if load.api == "gRPC":
        return over_grpc(command.grpc_port, each.protocol, clients, each.answer_bytes)
    assert command.rest_port is not None
    return over_rest(command.rest_port, each.protocol, clients)


def _point(model: str, server: str, load: Load, rounds: Sequence[tuple[Seen, float]]) -> Point:
    seen = [each for each, _ in rounds]
    return Point(
        model=model,
        server=server,
        load=str(load),
        rate=statistics.median(each.rate for each in seen),
        p50=statistics.median(each.p50 for each in seen),
        p99=statistics.median(each.p99 for each in seen),
        cpu_micros=statistics.median(cpu for _, cpu in rounds),
        failed=sum(each.failed for each in seen),
        rates=[round(each.rate, 1) for each in seen],
    )


def as_json(found: Point | Standing | Skipped) -> dict[str, object]:
    """A row with its kind."""
    return {"kind": type(found).__name__.lower(), **asdict(found)}
