"""What carries gRPC to the same handler at which price: grpcio, asyncio, and our own transport.

Run ``python -m benchmarks.transports [docs]`` (about 4 minutes; h2load has to be installed). The
servers parse a PredictRequest, run a model of three numbers and write a PredictResponse. They
check, count and limit nothing, but for the last, where the transport does all that it does in
model-server. They are asked in turns. Results, a table and a plot go to
``build/benchmarks/transports``, or with the word ``docs`` to ``docs/explanation/transports``.
SECONDS_A_POINT (2) and ROUNDS (3) in the environment say how long and how often is measured.
"""

import os
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from benchmarks.serving import models, report, wire
from benchmarks.serving.measuring import Load, Plan, Point, as_json, measured
from benchmarks.serving.peers import Peer, Start
from benchmarks.serving.processes import Command, free_port

_ROOT = Path(__file__).parents[1]
_SERVERS = Path(__file__).parent / "serving" / "servers"
_LOADS = [Load("gRPC", 8), Load("gRPC", 32), Load("gRPC", 1, streams=8)]
_PACKAGES = ("grpcio", "h2", "uvloop", "tensorflow-cpu")


def main() -> None:
    """Measures all, prints the table and writes the files."""
    if shutil.which("h2load") is None:
        sys.exit("h2load is missing: install nghttp2-client")
    seconds = float(os.environ.get("SECONDS_A_POINT", "2"))
    rounds = int(os.environ.get("ROUNDS", "3"))
    build = _ROOT / "build" / "benchmarks"
    base = build / "models" / "transports" / "tiny"
    shutil.rmtree(base, ignore_errors=True)
    model = replace(models.saved("tiny", base), name="transports")
    plan = Plan(_LOADS, seconds, rounds, build, lambda said: print(said, flush=True))
    found = list(measured(model, _peers(), plan))
    rows = [as_json(each) for each in found]
    folder = build / "transports"
    if "docs" in sys.argv[1:]:
        folder = _ROOT / "docs" / "explanation" / "transports"
    about = {name: version(name) for name in _PACKAGES}
    about |= {"when": f"{datetime.now(UTC):%Y-%m-%d}", "python": platform.python_version()}
    about |= {"cpus": str(os.cpu_count()), "seconds a point": f"{seconds:g}"}
    report.write(rows, about | {"rounds": str(rounds)}, folder / "results.json")
    tables = f"{report.tables(rows)}\n{_ratios([p for p in found if isinstance(p, Point)])}"
    tables = tables.replace("# Performance of the server: all", "# Transports of gRPC:", 1)
    (folder / "tables.md").write_text(tables)
    report.plots(rows, folder)
    print(f"\n{tables}\nwritten: {folder}")


def _peers() -> list[Peer]:
    ways = {
        "grpcio, 1 process": _server("grpcio_server.py", "1"),
        "grpcio, 2 processes": _server("grpcio_server.py", "2"),
        "asyncio and h2": _server("asyncio_h2_server.py"),
        "asyncio and nghttp2": _server("asyncio_nghttp2_server.py", "loop"),
        "asyncio and nghttp2, a thread": _server("asyncio_nghttp2_server.py", "thread"),
        "native": _server("native_server.py", "bare"),
        "native, turns and limits": _server("native_server.py"),
    }
    protocol = wire.tensorflow_serving
    return [Peer(name, command, protocol=protocol) for name, command in ways.items()]


def _server(script: str, *more: str) -> Callable[[Start], Command]:
    def command(start: Start) -> Command:
        port = free_port()
        arguments = (str(start.model.base), start.model.name, str(port), *more)
        words = [str(start.python), str(_SERVERS / script), *arguments]
        return Command(words, port, None, {"INTRA_OP_THREADS": "1"})

    return command


def _ratios(points: list[Point]) -> str:
    """Answers of each for one of grpcio with 2 processes, and its processor time for one of those.

    The first is the median of the rounds' ratios, with the least and the most.
    """
    lines = [
        "## Beside grpcio with 2 processes\n",
        "Ratios of answers a second (median, least and most of the rounds), of processor time.\n",
        "| server | load | answers | least-most | processor time of an answer |",
        "|---|---|---|---|---|",
    ]
    base = {point.load: point for point in points if point.server == "grpcio, 2 processes"}
    for point in points:
        of = base[point.load]
        each = sorted(one / other for one, other in zip(point.rates, of.rates, strict=True))
        cost = point.cpu_micros / of.cpu_micros
        middle = each[len(each) // 2]
        cells = f"{middle:.2f} | {each[0]:.2f}-{each[-1]:.2f} | {cost:.2f}"
        lines.append(f"| {point.server} | {point.load.partition(', ')[2]} | {cells} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
