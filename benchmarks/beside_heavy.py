"""What requests of a light model wait beside a heavy one that takes all the processors.

Run ``python -m benchmarks.beside_heavy [ROUNDS] [CLIENTS]``. A server with batching, one without,
and two processes of plain grpcio answer both models over gRPC, and take turns: the light model has
one client, first alone and then while CLIENTS ask the heavy one without a pause. Prints p50 and p99
in milliseconds of the light one's, and the medians of the ratios of batched to the others.
"""

import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import grpc

from benchmarks.serving import models, wire
from benchmarks.serving.load import Clients, Seen, over_grpc
from benchmarks.serving.models import Model
from benchmarks.serving.peers import plain_grpcio
from benchmarks.serving.processes import Command, free_port, grpc_answer_bytes, serving

_SECONDS = 3.0
_LIGHT = Clients(connections=1, seconds=_SECONDS, warm_up=0.0)
# The heavy one's clients begin before the light one's and end after it.
_AROUND = 1.0
_PATIENCE = 60.0
_BATCHED = "batched"


@dataclass(frozen=True)
class Asked:
    """A model on a port, and the size of an answer of it."""

    port: int
    model: Model
    answer_bytes: int

    def by(self, clients: Clients) -> Seen:
        """What these clients see."""
        protocol = wire.tensorflow_serving(self.model)
        return over_grpc(self.port, protocol, clients, self.answer_bytes)


def main() -> None:
    """Measures both servers in turns."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    clients = int(sys.argv[2]) if len(sys.argv) > 2 else 32
    heavy_clients = Clients(clients, seconds=_SECONDS + 2 * _AROUND, warm_up=0.0)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        both = [models.saved(name, Path(folder, name)) for name in ("tiny", "mlp")]
        log = stack.enter_context(open(Path(folder, "log"), "wb"))
        servers: dict[str, list[Asked]] = {}
        for way, command in _commands(both, Path(folder, "models")).items():
            protocol = wire.tensorflow_serving(both[0])
            stack.enter_context(serving(command, protocol, both[0].answer, log))
            servers[way] = [_asked(command.grpc_port, model) for model in both]
        found = [_round(servers, heavy_clients) for _ in range(rounds)]
    for way in servers:
        if way != _BATCHED:
            ratio = statistics.median(each[_BATCHED] / each[way] for each in found)
            print(f"p99 of the light model, {_BATCHED} / {way}: median {ratio:.3f}")


def _commands(both: Sequence[Model], config: Path) -> Mapping[str, Command]:
    """Who serves both models."""
    entries = [
        f'config {{ name: "{model.name}" base_path: "{model.base}" model_platform: "tensorflow" }}'
        for model in both
    ]
    config.write_text(f"model_config_list {{ {' '.join(entries)} }}")
    return {
        "unbatched": _ours(config),
        _BATCHED: _ours(config, "--enable_batching"),
        "grpcio": plain_grpcio(Path(sys.executable), both),
    }


def _ours(config: Path, *flags: str) -> Command:
    port = free_port()
    program = str(Path(sys.executable).with_name("model-server"))
    return Command([program, f"--port={port}", f"--model_config_file={config}", *flags], port)


def _asked(port: int, model: Model) -> Asked:
    protocol = wire.tensorflow_serving(model)
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            return Asked(port, model, grpc_answer_bytes(port, protocol))
        except grpc.RpcError:
            # It is being loaded.
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


def _round(servers: Mapping[str, list[Asked]], heavy_clients: Clients) -> Mapping[str, float]:
    """The light model's p99 by each way, in milliseconds."""
    found = {}
    for way, (light, heavy) in servers.items():
        alone = light.by(_LIGHT)
        beside, load = _beside(light, heavy, heavy_clients)
        found[way] = beside.p99
        print(
            f"{way:9}  alone {alone.p50:6.2f} {alone.p99:6.2f}   beside {beside.p50:7.2f}"
            f" {beside.p99:7.2f}   ({beside.rate:.0f} light requests/s; {load.rate:.0f} heavy ones,"
            f" p50 {load.p50:.1f})",
            flush=True,
        )
    return found


def _beside(light: Asked, heavy: Asked, heavy_clients: Clients) -> tuple[Seen, Seen]:
    loads: list[Seen] = []
    load = threading.Thread(target=lambda: loads.append(heavy.by(heavy_clients)))
    load.start()
    time.sleep(_AROUND)
    seen = light.by(_LIGHT)
    load.join()
    return seen, loads[0]


if __name__ == "__main__":
    main()
