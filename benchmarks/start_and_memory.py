"""How long a server takes to its first right answer beside importing TensorFlow, and its memory.

Run ``python -m benchmarks.start_and_memory [ROUNDS]``; the two take turns. Prints seconds of time
and of processors for each, the least of all rounds with their difference, and the server's memory
with one tiny model after a thousand requests.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.serving import models, wire
from benchmarks.serving.peers import Start, peers, python_of_ours
from benchmarks.serving.processes import grpc_answer, serving

_REQUESTS = 1000


def main() -> None:
    """Measures in turns."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    imports, starts = [], []
    with tempfile.TemporaryDirectory() as folder, open(os.devnull, "wb") as log:
        tiny = models.saved("tiny", Path(folder, "tiny"))
        protocol = wire.tensorflow_serving(tiny)
        command = peers()[0].command(Start(python_of_ours(), tiny, Path(folder)))
        for _ in range(rounds):
            imports.append(_import())
            with serving(command, protocol, tiny.answer, log) as server:
                starts.append((server.started_in, server.cpu_seconds()))
                for _ in range(_REQUESTS):
                    grpc_answer(command.grpc_port, protocol)
                memory, resident = server.memory_mib(), server.process.memory_info().rss / 2**20
            print(
                f"import {imports[-1][0]:.2f} s ({imports[-1][1]:.2f} s CPU), first right answer"
                f" {starts[-1][0]:.2f} s ({starts[-1][1]:.2f} s CPU), {memory:.0f} MiB"
                f" ({resident:.0f} resident)",
                flush=True,
            )
    (wall, cpu), (answer, answer_cpu) = (
        map(min, zip(*each, strict=True)) for each in (imports, starts)
    )
    print(f"least: import {wall:.2f} s, answer {answer:.2f} s, {answer - wall:+.2f} s;", end=" ")
    print(f"CPU {cpu:.2f} s and {answer_cpu:.2f} s, {answer_cpu - cpu:+.2f} s")


def _import() -> tuple[float, float]:
    before, began = os.times(), time.monotonic()
    code = "import tensorflow"
    status = os.spawnl(os.P_WAIT, sys.executable, sys.executable, "-c", code)
    if status:
        raise RuntimeError(f"{code} ended with {status}")
    after = os.times()
    cpu = after.children_user + after.children_system
    return time.monotonic() - began, cpu - before.children_user - before.children_system


if __name__ == "__main__":
    main()
