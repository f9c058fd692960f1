"""Where the demo runs: a cluster of its own, or the one that the user's kubeconfig points at."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from string import Template

from testcluster.progress import Progress

ROOT = Path(__file__).parents[2]
CLUSTER = ROOT / "hack" / "cluster" / "cluster"
DEFAULT_REGISTRY = "localhost/modelfleet"
NAMESPACE = "modelfleet-demo"
SYSTEM_NAMESPACE = "modelfleet-system"


class DemoError(Exception):
    """The demo cannot go on; the message says what failed and what the command printed."""


def run(command: Sequence[str | Path], stdin: str | None = None) -> str:
    """What a command prints.

    Raises:
        DemoError: it ended with another exit code than 0.
    """
    words = [str(word) for word in command]
    ended = subprocess.run(words, cwd=ROOT, input=stdin, capture_output=True, text=True)
    if ended.returncode != 0:
        raise DemoError(f"{' '.join(words)}\nfailed with:\n{ended.stderr or ended.stdout}")
    return ended.stdout


@dataclass(frozen=True)
class Place:
    """How to speak to one cluster: its kubectl, its helm, and how images get into it."""

    title: str
    kubectl_command: tuple[str, ...]
    helm_command: tuple[str, ...]
    engine: str
    registry: str = DEFAULT_REGISTRY

    def kubectl(self, *words: str, stdin: str | None = None) -> str:
        """What kubectl prints. Raises DemoError when it fails."""
        return run([*self.kubectl_command, *words], stdin)

    def helm(self, *words: str) -> str:
        """What helm prints. Raises DemoError when it fails."""
        return run([*self.helm_command, *words])

    def image(self, program: str) -> str:
        """The image that the cluster runs a program from."""
        return f"{self.registry}/{program}:dev"

    def build(self, program: str) -> None:
        """Build a program's image from this checkout."""
        script = ROOT / "images" / "build.py"
        run([sys.executable, script, program, "--engine", self.engine])

    def up(self, progress: Progress) -> None:
        """Make the cluster answer. Raises DemoError when none does."""
        with progress.stage(f"Find {self.title}"):
            self.kubectl("get", "namespaces")

    def load(self, program: str) -> None:
        """Bring a program's image to where the nodes find it."""
        raise NotImplementedError

    def volume(self) -> str | None:
        """Make room for the models where the cluster does not; the manifest of the volume."""
        return None

    def down(self) -> None:
        """Take the demo's objects away again, and what `up` made."""
        raise NotImplementedError

    @contextmanager
    def forward(self, namespace: str, service: str, ports: Sequence[int]) -> Iterator[list[int]]:
        """Local ports that lead to the ports of a Service, while the body runs."""
        command = [*self.kubectl_command, "port-forward", "-n", namespace, f"service/{service}"]
        forwarding = subprocess.Popen(
            [*command, *(f":{port}" for port in ports)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            yield _local_ports(forwarding, ports)
        finally:
            forwarding.terminate()
            forwarding.wait()


@dataclass(frozen=True)
class OwnCluster(Place):
    """The cluster of hack/cluster: real, on this machine, and gone after `make down`."""

    name: str = "modelfleet"

    def up(self, progress: Progress) -> None:
        # Not captured: it has stages of its own, which take minutes the first time.
        ended = subprocess.run([CLUSTER, "up", "--name", self.name], check=False)
        if ended.returncode != 0:
            raise DemoError("The cluster did not come up; above is why.")

    def load(self, program: str) -> None:
        run([CLUSTER, "load", "--name", self.name, self.image(program)])

    def models_folder(self) -> Path:
        """Where the node has the models; among the cluster's files, so that it goes with them."""
        kubeconfig = run([CLUSTER, "kubeconfig", "--name", self.name]).strip()
        return Path(kubeconfig).parent / "demo-models"

    def volume(self) -> str | None:
        folder = self.models_folder()
        folder.mkdir(exist_ok=True)
        # The pod that fills it is not root, and Kubernetes gives no hostPath to a pod's fsGroup.
        folder.chmod(0o777)
        template = Template((Path(__file__).parent / "volume.yaml").read_text())
        return template.substitute(FOLDER=folder)

    def down(self) -> None:
        run([CLUSTER, "down", "--name", self.name])


@dataclass(frozen=True)
class CurrentCluster(Place):
    """The cluster of the user's kubeconfig: kind and minikube take images, others a registry."""

    def down(self) -> None:
        gone = ("--ignore-not-found",)
        self.kubectl("delete", "namespace", NAMESPACE, *gone)
        self.helm("uninstall", "modelfleet", "-n", SYSTEM_NAMESPACE, "--wait", *gone)
        self.kubectl("delete", "namespace", SYSTEM_NAMESPACE, *gone)
        self.kubectl("delete", "crd", "modeldeployments.modelfleet.dev", *gone)

    def load(self, program: str) -> None:
        local = f"{DEFAULT_REGISTRY}/{program}:dev"
        context = run([*self.kubectl_command, "config", "current-context"]).strip()
        if self.registry != DEFAULT_REGISTRY:
            run([self.engine, "tag", local, self.image(program)])
            run([self.engine, "push", self.image(program)])
        elif context.startswith("kind-"):
            name = context.removeprefix("kind-")
            run(["kind", "load", "docker-image", "--name", name, local])
        elif context == "minikube":
            run(["minikube", "image", "load", local])
        else:
            raise DemoError(
                f"The nodes of {context} cannot see images of this machine. Set REGISTRY to one "
                "that both can reach, for example: REGISTRY=registry.example.com/me make demo"
            )


def choose(wanted: str, name: str = "modelfleet") -> Place:
    """The place that the variable CLUSTER asks for: `own` (default), by name, or `current`.

    Raises:
        DemoError: another word, or no tool for it.
    """
    if wanted == "own":
        kubectl = (str(CLUSTER), "kubectl", "--name", name, "--")
        helm = (str(CLUSTER), "helm", "--name", name, "--")
        title = f"a real cluster on this machine, {name}"
        return OwnCluster(title, kubectl, helm, "buildah", name=name)
    if wanted != "current":
        raise DemoError(f"CLUSTER is {wanted!r}: say own (the default) or current")
    engines = [engine for engine in ("docker", "podman") if shutil.which(engine)]
    missing = [tool for tool in ("kubectl", "helm") if not shutil.which(tool)]
    if missing or not engines:
        absent = [*missing, *([] if engines else ["docker or podman"])]
        raise DemoError(f"CLUSTER=current needs {', '.join(absent)} on the PATH")
    registry = os.environ.get("REGISTRY", DEFAULT_REGISTRY)
    return CurrentCluster("your current cluster", ("kubectl",), ("helm",), engines[0], registry)


def _local_ports(forwarding: subprocess.Popen[str], ports: Sequence[int]) -> list[int]:
    assert forwarding.stdout is not None
    found: list[int] = []
    said = []
    for line in forwarding.stdout:
        said.append(line)
        if match := re.match(r"Forwarding from 127\.0\.0\.1:(\d+) -> (\d+)", line):
            found.append(int(match[1]))
        if len(found) == len(ports):
            return found
    raise DemoError(f"port-forward ended: {''.join(said)}")
