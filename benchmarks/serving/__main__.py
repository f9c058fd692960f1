"""Compares servers: ``make bench BENCH="WORD ..."``, or ``python -m benchmarks.serving WORD ...``.

Words choose a part: models (tiny, mlp, cnn), APIs (grpc, rest), connections (c=1, c=8, c=32, one),
and servers by a piece of their name (ours, grpcio, kserve, mlserver, pytriton). Without a word of
a kind all of that kind are measured. SECONDS_A_POINT and ROUNDS in the environment say how long a
point is measured (2) and how often (3). Results go to ``build/benchmarks`` and, with the word
``docs``, into ``docs/explanation/performance``.
"""

import os
import platform
import shutil
import sys
from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

from benchmarks.serving import models, report
from benchmarks.serving.measuring import Load, Plan, as_json, measured
from benchmarks.serving.peers import Peer, peers

_ROOT = Path(__file__).parents[2]
_BUILD = _ROOT / "build" / "benchmarks"
_DOCS = _ROOT / "docs" / "explanation" / "performance"
_LOADS = [
    *(Load("gRPC", clients) for clients in (1, 8, 32)),
    Load("gRPC", 1, streams=8),
    Load("gRPC", 1, streams=32),
    *(Load("REST", clients) for clients in (1, 8, 32)),
]
_OURS = "model-server"

T = TypeVar("T")


def main() -> None:
    """Measures what the words choose, and writes all that was ever measured here."""
    words = [word.lower() for word in sys.argv[1:]]
    for tool in ("h2load", "wrk"):
        if shutil.which(tool) is None:
            sys.exit(f"{tool} is missing: install nghttp2-client and wrk")
    chosen = _chosen(peers(), words, _words_of_peer)
    loads = _chosen(_LOADS, words, lambda load: {load.api.lower()}, {"grpc", "rest"})
    loads = _chosen(loads, words, _words_of_clients, {"c=1", "c=8", "c=32", "one"})
    names = _chosen(list(models.KINDS), words, lambda name: {name}, set(models.KINDS))
    seconds = float(os.environ.get("SECONDS_A_POINT", "2"))
    rounds = int(os.environ.get("ROUNDS", "3"))
    plan = Plan(loads, seconds, rounds, _BUILD, lambda said: print(said, flush=True))
    rows = []
    for name in names:
        print(f"{name}:", flush=True)
        base = _BUILD / "models" / name
        shutil.rmtree(base, ignore_errors=True)
        model = models.saved(name, base)
        of_model = [peer for peer in chosen if name in peer.models]
        rows += [as_json(found) for found in measured(model, of_model, plan)]
    _write(rows, seconds, rounds, "docs" in words)


def _words_of_peer(peer: Peer) -> set[str]:
    words = set(peer.name.lower().replace(",", "").split()) - {"and", "2"}
    return words | {"ours"} if peer.name.startswith(_OURS) else words


def _words_of_clients(load: Load) -> set[str]:
    return {"one"} if load.streams > 1 else {f"c={load.connections}"}


def _chosen(
    all_: Collection[T],
    words: Iterable[str],
    named: Callable[[T], set[str]],
    known: set[str] | None = None,
) -> list[T]:
    """Those that a word names; all if no word is of their kind."""
    if known is None:
        known = set().union(*map(named, all_))
    wanted = known & set(words)
    return [each for each in all_ if not wanted or wanted & named(each)]


def _write(rows: list[dict[str, object]], seconds: float, rounds: int, for_docs: bool) -> None:
    folder = _DOCS if for_docs else _BUILD
    about = {
        "when": f"{datetime.now(UTC):%Y-%m-%d}",
        "python": platform.python_version(),
        "tensorflow": version("tensorflow-cpu"),
        "cpus": str(os.cpu_count()),
        "seconds a point": f"{seconds:g}",
        "rounds": str(rounds),
    }
    file = folder / "results.json"
    # What is not measured any more must not stay beside what is.
    known = {peer.name for peer in peers()}
    old = [row for row in report.read(file) if row["server"] in known]
    every = report.merged(old, rows)
    report.write(every, about, file)
    (folder / "tables.md").write_text(report.tables(every))
    report.plots(every, folder)
    print(f"\n{report.tables(rows)}\nwritten: {folder}")


if __name__ == "__main__":
    main()
