"""modelfleet as a newcomer has it after the demo, and how tests speak to it."""

import json
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
CLUSTER = ROOT / "hack" / "cluster" / "cluster"


@dataclass(frozen=True)
class Installed:
    """The demo's cluster after `make demo`: what it printed, and a kubectl for it."""

    name: str
    demo_output: str
    namespace: str = "modelfleet-demo"

    def kubectl(self, *words: str, stdin: str | None = None, check: bool = True) -> str:
        """What kubectl prints in the demo's namespace, error output included."""
        ended = subprocess.run(
            [CLUSTER, "kubectl", "--name", self.name, "--", "-n", self.namespace, *words],
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if check and ended.returncode != 0:
            raise AssertionError(f"kubectl {' '.join(words)}: {ended.stdout}")
        return ended.stdout

    def get(self, *words: str) -> Any:
        """An object or a list, parsed."""
        return json.loads(self.kubectl("get", *words, "-o", "json"))

    def status(self, name: str) -> dict[str, Any]:
        """The status of a ModelDeployment."""
        found: dict[str, Any] = self.get("modeldeployment", name).get("status", {})
        return found

    def condition(self, name: str, kind: str) -> dict[str, Any]:
        """A condition of a ModelDeployment; empty when it is not there."""
        conditions = self.status(name).get("conditions", [])
        return next((c for c in conditions if c["type"] == kind), {})

    def is_ready(self, name: str) -> bool:
        """Whether a ModelDeployment is Ready for the spec that it has now."""
        found = self.get("modeldeployment", name)
        status = found.get("status", {})
        current = status.get("observedGeneration") == found["metadata"]["generation"]
        return bool(current and self.condition(name, "Ready").get("status") == "True")

    @contextmanager
    def rest(self, name: str) -> Iterator[str]:
        """The URL of a model's REST API, by a port-forward to its Service."""
        command = [CLUSTER, "kubectl", "--name", self.name, "--", "-n", self.namespace]
        with subprocess.Popen(
            [*command, "port-forward", f"service/{name}", ":8501"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as forwarding:
            try:
                assert forwarding.stdout is not None
                first = forwarding.stdout.readline()
                assert first.startswith("Forwarding from 127.0.0.1:"), first
                port = first.split()[2].rpartition(":")[2]
                yield f"http://127.0.0.1:{port}/v1/models/{name}"
            finally:
                forwarding.terminate()


def eventually(question: Callable[[], Any], within: float = 90.0) -> Any:
    """The first truthy answer; the test fails with the last one when none comes in time."""
    ends = time.monotonic() + within
    while not (answer := question()):
        if time.monotonic() > ends:
            raise AssertionError(f"not within {within:g} s; the last answer was {answer!r}")
        time.sleep(0.5)
    return answer


def predict(url: str, instances: list[float]) -> list[float]:
    """The predictions of a model over REST."""
    body = json.dumps({"instances": instances}).encode()
    with urllib.request.urlopen(f"{url}:predict", data=body, timeout=180) as answer:
        predictions: list[float] = json.load(answer)["predictions"]
    return predictions
