"""What a group costs: ``python -m benchmarks.sharding [--size 1GB] [--docs] [-- FLAGS]``.

The recommender of the examples is served by one server and by groups of two and four, each server
a process. Measured are memory, time to load, latency and processor time in turns with the single
server, the time until a group is back that lost a member, and what clients notice of that where
two groups are behind a router. Results go to ``build/benchmarks/sharding`` and, with ``--docs``,
into ``docs/explanation/sharding``. What follows ``--`` are flags for all servers.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
sys.path.extend(
    str(Path(__file__).parents[2] / each)
    for each in ("tests", "hack/cluster", "examples/recommender")
)

from build_recommender import write_model
from recommender_rows import NAME, Tables, size_of, tables_of

from benchmarks.sharding import report
from benchmarks.sharding.asking import compare
from benchmarks.sharding.groups import Group, Serving, group
from benchmarks.sharding.losing import lose_and_restore, lose_behind_router
from benchmarks.sharding.questions import questions

_ROOT = Path(__file__).parents[2]
_BUILD = _ROOT / "build" / "benchmarks" / "sharding"
_DOCS = _ROOT / "docs" / "explanation" / "sharding"
_GROUPS = (2, 4)
_ROWS = (1, 32, 512)
_TINY = 10**6
_SLACK = 1.1
# The members of each of two groups, one of which loses one while clients ask.
_BEHIND_ROUTER, _REQUESTS_OF_LOST = 2, 100


def main() -> None:
    """Measure, and write what was found."""
    options = _options()
    tables = tables_of(options.size)
    results: dict[str, Any] = {
        "about": {
            "date": datetime.now(UTC).date().isoformat(),
            "processors": os.cpu_count(),
            "requests": options.requests,
        },
        "bytes": options.size,
        "groups": [],
        "asked": [],
    }
    with tempfile.TemporaryDirectory(dir=options.scratch) as scratch:
        folder = Path(scratch)
        _say(f"building {options.size / 1e9:g} GB")
        write_model(tables, folder / NAME / "1")
        write_model(tables_of(_TINY), folder / "tiny" / "1")
        with group(Serving(folder / "tiny", options.flags), 1) as tiny:
            results["baseBytes"] = tiny.peak_bytes()
        _measure(Serving(folder / NAME, options.flags), tables, options.requests, results)
    folders = [_BUILD, _DOCS] if options.docs else [_BUILD]
    print("\n".join({report.write(results, each) for each in folders}))


def _measure(serving: Serving, tables: Tables, requests: int, results: dict[str, Any]) -> None:
    with group(serving, 1) as single:
        for shards in _GROUPS:
            _say(f"a group of {shards}")
            with group(serving, shards) as several:
                for rows in _ROWS:
                    compared = compare(single, several, questions(tables, rows, requests))
                    results["asked"].append({"shards": shards, "rows": rows, **asdict(compared)})
                figures = _figures(several, tables.bytes, results["baseBytes"])
                results["groups"].append(figures | asdict(lose_and_restore(several)))
        alone = _figures(single, tables.bytes, results["baseBytes"])
        results["groups"].insert(0, alone)
    _say("two groups behind a router")
    with ExitStack() as running:
        both = [running.enter_context(group(serving, _BEHIND_ROUTER)) for _ in range(2)]
        lost = asyncio.run(lose_behind_router(both, questions(tables, _ROWS[0], _REQUESTS_OF_LOST)))
    results["lost"] = asdict(lost)


def _figures(of: Group, size: int, base: int) -> dict[str, Any]:
    share = size // len(of.members)
    return {
        "shards": len(of.members),
        "shareBytes": share,
        "peakBytes": of.peak_bytes(),
        "allowedBytes": int(share * _SLACK) + base,
        "secondsToLoad": of.seconds_to_load,
    }


def _options() -> argparse.Namespace:
    arguments = sys.argv[1:]
    flags: list[str] = []
    if "--" in arguments:
        place = arguments.index("--")
        arguments, flags = arguments[:place], arguments[place + 1 :]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sharding")
    parser.add_argument("--size", type=size_of, default="1GB", help="of the tables")
    parser.add_argument("--requests", type=int, default=200, help="of each kind")
    parser.add_argument("--scratch", type=Path, help="a folder for the model while it is measured")
    parser.add_argument("--docs", action="store_true", help="write into the documentation, too")
    options = parser.parse_args(arguments)
    options.flags = tuple(flags)
    return options


def _say(what: str) -> None:
    print(f"… {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
