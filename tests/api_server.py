"""A real API server as tests use it: through kubectl, one namespace for each test."""

import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml

T = TypeVar("T")
Manifest = dict[str, Any]

# On a busy machine a handshake may take longer than kubectl waits; nothing was asked for then.
_UNSENT = "TLS handshake timeout"
# A machine that stood still for half a minute: something may have been asked, and asking for what
# shall be once more changes nothing.
_LOST = "http2: client connection lost"
_IDEMPOTENT = frozenset({"apply", "get", "patch"})
_ATTEMPTS = 3


class Refused(Exception):
    """kubectl failed; the text is what it said."""


@dataclass(frozen=True)
class ApiServer:
    """kubectl with a kubeconfig, bound to a namespace."""

    kubectl: Path
    kubeconfig: Path
    namespace: str = "default"

    def run(self, *args: str, stdin: str = "", check: bool = True) -> str:
        """What kubectl prints.

        Raises:
            Refused: with what it said, unless that is not to be checked.
        """
        command = [str(self.kubectl), f"--kubeconfig={self.kubeconfig}", "-n", self.namespace]
        for _ in range(_ATTEMPTS):
            done = subprocess.run(
                [*command, *args],
                input=stdin,
                capture_output=True,
                text=True,
                timeout=180,
                check=False,
            )
            is_lost = _LOST in done.stderr and args[0] in _IDEMPOTENT
            if _UNSENT not in done.stderr and not is_lost:
                break
        if check and done.returncode != 0:
            raise Refused(done.stderr)
        return done.stdout

    def apply(self, *manifests: Manifest) -> None:
        """Apply as a user does, with kubectl's strict validation."""
        self.run("apply", "-f", "-", stdin=yaml.safe_dump_all(manifests))

    def get(self, kind: str, name: str) -> Manifest:
        return dict(json.loads(self.run("get", kind, name, "-o", "json", "--show-managed-fields")))

    def all(self, kind: str) -> list[Manifest]:
        return list(json.loads(self.run("get", kind, "-o", "json"))["items"])

    def names(self, kind: str) -> list[str]:
        return [item["metadata"]["name"] for item in self.all(kind)]

    def patch(self, kind: str, name: str, patch: Manifest, *args: str) -> None:
        self.run("patch", kind, name, "--type=merge", "-p", json.dumps(patch), *args)

    def patch_status(self, kind: str, name: str, status: Manifest) -> None:
        """Play the controller that would write this status."""
        self.patch(kind, name, {"status": status}, "--subresource=status")

    def delete(self, kind: str, name: str) -> None:
        self.run("delete", kind, name, "--wait=false")


def kubeconfig_of(home: ApiServer, account: str, folder: Path) -> Path:
    """A kubeconfig with the account's own token and nothing else."""
    known = yaml.safe_load(home.kubeconfig.read_text())
    token = home.run("create", "token", account).strip()
    known["users"][0]["user"] = {"token": token}
    path = folder / f"kubeconfig-{account}"
    path.write_text(yaml.safe_dump(known))
    return path


def eventually(probe: Callable[[], T | None], seconds: float = 180.0) -> T:
    """The first true answer of the probe; what it cannot find yet may be refused."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if answer := probe():
                return answer
            said: object = "false"
        except (Refused, LookupError) as error:
            said = error
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s; at last: {said}")
        time.sleep(0.1)
