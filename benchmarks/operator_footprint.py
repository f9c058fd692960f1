"""What the operator asks of the API server, how fast it follows, and how much memory it holds.

Run ``python benchmarks/operator_footprint.py [MINUTES_AT_REST]``. A real API server with its
controllers; kwok answers for the node. Writes and times are those of the API server's audit log.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[1] / "hack" / "cluster"))

from api_server import ApiServer, eventually
from operator_process import OperatorProcess
from simulated_world import model_deployment
from testcluster import Contents, ControlPlane, binaries

_CRDS = Path(__file__).parents[1] / "crds"
_OBJECTS = 200
_LONG = 300.0
_CHILDREN = ("controllerrevisions", "networkpolicies", "deployments", "services")


class Bench:
    """A control plane with an operator that leads."""

    def __init__(self, plane: ControlPlane, folder: Path) -> None:
        self.plane, self.folder = plane, folder
        self.api = ApiServer(binaries.location("kubectl"), plane.kubeconfig)
        self.api.run("apply", "--server-side", "-f", str(_CRDS))
        eventually(lambda: "modeldeployments" in self.api.run("api-resources", "-o", "name"))
        self.operator = self.start("operator.log")

    def start(self, log: str) -> OperatorProcess:
        settings = {"MODELFLEET_LEASE": "default/modelfleet", "MODELFLEET_ALLOW_NODE_PATHS": "true"}
        process = OperatorProcess(self.plane.kubeconfig, self.folder / log, **settings)
        eventually(lambda: process.samples("modelfleet_leader") == {"": 1.0}, _LONG)
        return process

    def apply(self, *manifests: dict[str, Any]) -> None:
        self.api.run("apply", "-f", "-", stdin="\n---\n".join(map(json.dumps, manifests)))

    def wait_until_ready(self, count: int) -> None:
        eventually(lambda: self._ready() == count, _LONG)

    def writes(self) -> list[dict[str, Any]]:
        """The operator's, without the renewals of its Lease."""
        return [
            event
            for event in self.audited()
            if _is_ours(event) and event["objectRef"]["resource"] != "leases"
        ]

    def audited(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.plane.folder.audit_log.read_text().splitlines()]

    def written(self, during: Callable[[], None]) -> list[str]:
        before = len(self.writes())
        during()
        time.sleep(8)  # what comes late counts too
        about = [event["objectRef"] for event in self.writes()[before:]]
        return ["/".join(filter(None, (ref["resource"], ref.get("subresource")))) for ref in about]

    def _ready(self) -> int:
        paths = "{.items[*].status.conditions[?(@.type=='Ready')].status}"
        ready = self.api.run("get", "md", "-o", f"jsonpath={paths}").split().count("True")
        generations = "{range .items[*]}{.metadata.generation}={.status.observedGeneration} {end}"
        seen = self.api.run("get", "md", "-o", f"jsonpath={generations}").split()
        return ready if all(len(set(pair.split("="))) == 1 for pair in seen) else -1


def main() -> None:
    """Print every figure in turn."""
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 10
    contents = Contents(controllers=True, kwok_nodes=2)
    with ControlPlane(contents) as plane, tempfile.TemporaryDirectory() as folder:
        bench = Bench(plane, Path(folder))
        try:
            _print_all(bench, minutes)
        finally:
            bench.operator.stop()


def _print_all(bench: Bench, minutes: float) -> None:
    time.sleep(10)
    _print("memory with leader election, no object", f"{_resident(bench.operator)} MB")
    created = bench.written(lambda: _serve(bench, _manifest("first", 1)))
    _print("writes for a first create, 2 replicas", f"{len(created)}: {', '.join(created)}")
    changed = bench.written(lambda: _serve(bench, _manifest("first", 2)))
    _print("writes for a change of version", f"{len(changed)}: {', '.join(changed)}")
    for number in range(_OBJECTS // 2):
        bench.apply(_manifest(f"paced-{number}", 1, replicas=1))
        time.sleep(1)  # else kubectl itself is the load
    bench.wait_until_ready(_OBJECTS // 2 + 1)
    bench.apply(*(_manifest(f"burst-{n}", 1, replicas=1) for n in range(_OBJECTS // 2 - 1)))
    bench.wait_until_ready(_OBJECTS)
    _print_delays(bench, "paced", "one a second")
    _print_delays(bench, "burst", f"{_OBJECTS // 2 - 1} by one kubectl apply")
    time.sleep(10)
    _print(f"memory at {_OBJECTS} objects", f"{_resident(bench.operator)} MB")
    before = len(bench.writes())
    time.sleep(minutes * 60)
    _print(f"writes in {minutes:g} minutes at rest", len(bench.writes()) - before)
    _print("memory after it", f"{_resident(bench.operator)} MB")
    _print_restart(bench)


def _print_restart(bench: Bench) -> None:
    bench.operator.stop()
    before = len(bench.writes())
    bench.operator = bench.start("restarted.log")
    eventually(lambda: bench.operator.passes() >= _OBJECTS, _LONG)
    time.sleep(10)
    _print(f"writes of a restart at {_OBJECTS} objects", len(bench.writes()) - before)
    reads = {k: v for k, v in bench.operator.requests().items() if "GET" in k}
    _print("requests of that start beside watches", reads)


def _print_delays(bench: Bench, prefix: str, how: str) -> None:
    """From the answer to the user's write until the last child has been written."""
    asked: dict[str, datetime] = {}
    made: dict[str, list[datetime]] = {}
    for event in bench.audited():
        about, moment = event["objectRef"], datetime.fromisoformat(event["stageTimestamp"])
        name = about.get("name", "")
        if about["resource"] == "modeldeployments" and event["verb"] == "create":
            asked[name] = moment
        elif _is_ours(event) and about["resource"] in _CHILDREN:
            owner = max((n for n in asked if name == n or name.startswith(f"{n}-")), key=len)
            made.setdefault(owner, []).append(moment)
    delays = sorted(
        (sorted(made[name])[len(_CHILDREN) - 1] - moment).total_seconds()
        for name, moment in asked.items()
        if name.startswith(prefix)
    )
    p50, p99 = statistics.median(delays), statistics.quantiles(delays, n=100)[98]
    _print(f"apply to children created, {how}", f"p50 {p50:.3f} s, p99 {p99:.3f} s")


def _is_ours(event: dict[str, Any]) -> bool:
    return str(event.get("userAgent", "")).startswith("modelfleet-operator")


def _serve(bench: Bench, manifest: dict[str, Any]) -> None:
    bench.apply(manifest)
    eventually(lambda: bench._ready() == 1, _LONG)


def _manifest(name: str, version: int, replicas: int = 2) -> dict[str, Any]:
    model = {"uri": "file:///srv/models/ranker", "version": version}
    body = model_deployment(name, model=model, replicas=replicas)
    return {part: body[part] for part in ("apiVersion", "kind", "spec")} | {
        "metadata": {"name": name}
    }


def _resident(process: OperatorProcess) -> int:
    status = Path(f"/proc/{process.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) // 1000


def _print(what: str, figure: object) -> None:
    print(f"{what:58} {figure}", flush=True)


if __name__ == "__main__":
    main()
