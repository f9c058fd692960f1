"""How fast requests follow a rollout on a real cluster, and whether any is lost on the way.

Run ``make demo``, and then ``python benchmarks/rollouts.py [ROUNDS]``: on the demo's cluster, with
its four callers over gRPC and REST. CLUSTER and CLUSTER_NAME choose as they do for the demo.
Times are seen from outside: they hold what kubectl takes to send an order, and a tenth of a second
between two reports of the callers.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "hack" / "cluster"))
sys.path.insert(0, str(Path(__file__).parents[1] / "hack" / "demo"))

from live import Calls, calls
from place import NAMESPACE, Place, choose

NAME = "measured"
GOOD, OTHER, FAILING = 1, 2, 4
_SETTLED = 3.0
STEPS = [{"weight": 10}, {"weight": 50}]


class Measured:
    """The ModelDeployment that is steered."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def ask_for(self, version: int, **rollout: Any) -> None:
        """Apply the spec with a version."""
        spec = {
            "model": {"uri": "pvc://models/half_plus_version", "version": version},
            "rollout": {"keepWarmSeconds": 20, "abortKeepSeconds": 0, **rollout},
        }
        manifest = {
            "apiVersion": "modelfleet.dev/v1alpha1",
            "kind": "ModelDeployment",
            "metadata": {"name": NAME, "namespace": NAMESPACE},
            "spec": spec,
        }
        self._place.kubectl("apply", "-f", "-", stdin=json.dumps(manifest))

    def order(self, command: str, revision: str) -> None:
        """Annotate it with an order."""
        order = f"modelfleet.dev/{command}={revision}"
        self._place.kubectl("annotate", "-n", NAMESPACE, "--overwrite", "md", NAME, order)

    def status(self) -> dict[str, Any]:
        """Its status, when that is about the newest spec; else nothing."""
        found = json.loads(self._place.kubectl("get", "-n", NAMESPACE, "md", NAME, "-o", "json"))
        status: dict[str, Any] = found.get("status", {})
        current = status.get("observedGeneration") == found["metadata"]["generation"]
        return status if current else {}

    def until(self, holds: Callable[[dict[str, Any]], Any]) -> Any:
        """What `holds` finds in the status at last."""
        last = time.monotonic() + 180
        while not (found := holds(self.status())):
            if time.monotonic() > last:
                raise SystemExit(f"{NAME} got no further: {json.dumps(self.status(), indent=2)}")
        return found

    def delete(self) -> None:
        """Remove it."""
        self._place.kubectl("delete", "-n", NAMESPACE, "md", NAME, "--ignore-not-found")


def condition(status: dict[str, Any], kind: str) -> bool:
    """Whether a condition is there and true."""
    found = status.get("conditions", [])
    return any(c["type"] == kind and c["status"] == "True" for c in found)


def replicas(status: dict[str, Any]) -> int:
    """Pods of all revisions."""
    return sum(revision.get("replicas", 0) for revision in status.get("revisions", []))


def canary(measured: Measured, version: int) -> float:
    """Seconds from the new spec to the promotion, through both steps."""
    began = time.monotonic()
    measured.ask_for(version, steps=STEPS, analysis={"minRequests": 50})
    measured.until(lambda status: condition(status, "Ready"))
    return time.monotonic() - began


def rollback(measured: Measured, live: Calls, versions: tuple[int, int]) -> float:
    """Seconds from before kubectl sends the order to the last answer of the version before."""
    now, former = versions
    revisions = {r["version"]: r["name"] for r in measured.status()["revisions"]}
    began = time.monotonic()
    # The text after the slash makes it an order of its own in each round.
    measured.order("rollback", f"{revisions[former]}/{time.time():.0f}")
    time.sleep(_SETTLED)
    return live.last(now) - began


def abort(measured: Measured, live: Calls) -> float:
    """Seconds from the status that tells of the verdict to the last answer of the bad version."""
    measured.ask_for(FAILING, steps=STEPS, analysis={"minRequests": 50})
    measured.until(lambda status: condition(status, "Stalled"))
    told = time.monotonic()
    time.sleep(_SETTLED)
    return live.last(FAILING) - told


def measure(measured: Measured, live: Calls) -> Iterator[tuple[str, float]]:
    """One round: versions go up and back again."""
    before = live.came
    yield "canary by 10 and 50 %, with pods, s", canary(measured, OTHER)
    yield (
        "warm rollback, order to the last other answer, s",
        rollback(measured, live, (OTHER, GOOD)),
    )
    # Nothing stays warm, so that the next round goes by steps again.
    measured.ask_for(GOOD)
    measured.until(lambda status: condition(status, "Ready") and replicas(status) == 1)
    yield "failed of these requests", live.came.since(before).failures.total()
    yield "of requests", live.came.since(before).requests
    yield "bad verdict in the status to the last bad answer, s", abort(measured, live)
    measured.ask_for(GOOD)
    measured.until(lambda status: condition(status, "Ready"))


def main(rounds: int) -> None:
    """Print a table of what was found."""
    place = choose(os.environ.get("CLUSTER", "own"), os.environ.get("CLUSTER_NAME", "modelfleet"))
    measured = Measured(place)
    found: dict[str, list[float]] = {}
    try:
        measured.ask_for(GOOD)
        measured.until(lambda status: condition(status, "Ready"))
        with calls(place, NAME) as live:
            live.until(lambda came: came.fewest > 20)
            for _ in range(rounds):
                for what, value in measure(measured, live):
                    found.setdefault(what, []).append(value)
                    print(f"{what}: {value:.2f}", file=sys.stderr, flush=True)
    finally:
        measured.delete()
    for what, values in found.items():
        print(f"{what:<55} median {statistics.median(values):8.2f}   most {max(values):8.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
