"""A ModelDeployment between two versions, and callers that never stop: what traffic tests share."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from installed import ROOT, Installed, eventually

sys.path.insert(0, str(ROOT / "hack" / "demo"))

from live import Calls, Came, calls
from place import choose

NAME = "steered"
STABLE, CANDIDATE, VARIANT = 2, 3, 1
# Pods start, on a machine that may be busy.
_WITHIN = 300.0
_ASK = """
import json, sys, urllib.request
url, headers = "http://{name}:8501/v1/models/{name}:predict", json.loads(sys.argv[1])
request = urllib.request.Request(url, b'{{"instances": [0.0]}}', headers)
print(json.load(urllib.request.urlopen(request, timeout=180))["predictions"][0])
"""


@dataclass(frozen=True)
class Applied:
    """The object, as the tests steer it. `model` is the folder of its versions in the claim."""

    installed: Installed
    name: str = NAME
    model: str = "half_plus_version"

    def ask_for(self, version: int, **more: Any) -> None:
        """Apply the spec with a version and further fields."""
        spec = {
            "model": {"uri": f"pvc://models/{self.model}", "version": version},
            "replicas": 2,
            "rollout": {"steps": [{"weight": 50, "pause": True}], "keepWarmSeconds": 120},
            **more,
        }
        manifest = {
            "apiVersion": "modelfleet.dev/v1alpha1",
            "kind": "ModelDeployment",
            "metadata": {"name": self.name},
            "spec": spec,
        }
        self.installed.kubectl("apply", "-f", "-", stdin=json.dumps(manifest))

    def order(self, command: str, revision: str) -> None:
        """Annotate the object with an order about a revision."""
        annotation = f"modelfleet.dev/{command}={revision}"
        self.installed.kubectl("annotate", "--overwrite", "modeldeployment", self.name, annotation)

    def status(self) -> dict[str, Any]:
        """What the operator says."""
        return self.installed.status(self.name)

    def candidate(self) -> str:
        """The candidate's revision."""
        return str(self.status()["candidate"]["revision"])

    def pods(self) -> set[str]:
        """The servers' pods that are not about to end."""
        found = self.installed.get("pods", "-l", f"modelfleet.dev/deployment={self.name}")["items"]
        return {
            pod["metadata"]["name"] for pod in found if "deletionTimestamp" not in pod["metadata"]
        }

    def weights(self) -> dict[int, int]:
        """What the routers say they do, in percent by version."""
        status = self.status()
        versions = {r["name"]: int(r["version"]) for r in status.get("revisions", [])}
        return {
            versions[part["revision"]]: part["programmed"]
            for part in status.get("traffic", [])
            if part.get("programmed")
        }

    def reaches(self, **weights: int) -> None:
        """Wait until the routers do this, as in v2=50, v3=50."""
        wanted = {int(version[1:]): weight for version, weight in weights.items()}
        eventually(lambda: self.weights() == wanted, within=_WITHIN)


@dataclass(frozen=True)
class Steered(Applied):
    """The object with its callers."""

    calls: Calls = field(kw_only=True)

    def version_for(self, headers: dict[str, str]) -> int:
        """Which version answers a request with these headers. y = x / 2 + version."""
        ask = ("exec", "caller", "--", "python3", "-c", _ASK.format(name=self.name))
        return int(float(self.installed.kubectl(*ask, json.dumps(headers))))

    def more(self, requests: int) -> Came:
        """What the next so many requests got."""
        before = self.calls.came
        enough = self.calls.until(lambda came: came.since(before).requests >= requests)
        return enough.since(before)


def models_folder(installed: Installed) -> Path:
    """Where the models of the demo's claim lie on this machine."""
    volume = choose("own", installed.name).volume()
    assert volume is not None
    return Path(yaml.safe_load(volume)["spec"]["hostPath"]["path"])


@contextmanager
def steered(applied: Applied, version: int = STABLE, **more: Any) -> Iterator[Steered]:
    """The object at its stable version, with callers of both protocols, while the body runs."""
    installed, name = applied.installed, applied.name
    applied.ask_for(version, **more)
    eventually(lambda: installed.is_ready(name), within=_WITHIN)
    with calls(choose("own", installed.name), name) as calling:
        calling.until(lambda came: came.fewest > 20)
        yield Steered(installed, name, applied.model, calls=calling)
    installed.kubectl("delete", "modeldeployment", name)
