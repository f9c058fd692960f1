"""The programs of Kubernetes: found where developers keep them, in a cache, or built."""

import fcntl
import hashlib
import os
import re
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from testcluster.failures import ClusterError
from testcluster.folders import cache_folder
from testcluster.progress import Progress

MODULES = Path(__file__).parents[1] / "binaries"
# What Kubernetes developers keep in KUBEBUILDER_ASSETS.
ASSETS = ("etcd", "kube-apiserver", "kubectl")


@dataclass(frozen=True)
class Program:
    """A command: the pinned module that it is built in, and its package there."""

    module: str
    package: str


def _kubernetes(name: str) -> Program:
    return Program("kubernetes", f"k8s.io/kubernetes/cmd/{name}")


# In the order in which they are quickest to build: the first one shares most with the rest.
PROGRAMS = {
    "kube-apiserver": _kubernetes("kube-apiserver"),
    "etcd": Program("companions", "go.etcd.io/etcd/server/v3"),
    "kubectl": _kubernetes("kubectl"),
    "kube-controller-manager": _kubernetes("kube-controller-manager"),
    "kube-scheduler": _kubernetes("kube-scheduler"),
    "kubelet": _kubernetes("kubelet"),
    "kube-proxy": _kubernetes("kube-proxy"),
    "coredns": Program("companions", "github.com/coredns/coredns"),
    "kwok": Program("companions", "sigs.k8s.io/kwok/cmd/kwok"),
    "helm": Program("companions", "helm.sh/helm/v3/cmd/helm"),
    "pod": Program("pod", "."),
    "grpcclient": Program("wire", "./grpcclient"),
    "h2spec": Program("wire", "github.com/summerwind/h2spec/cmd/h2spec"),
}


@cache
def kubernetes_version() -> str:
    """The pinned version of Kubernetes, such as v1.35.4."""
    return _required("kubernetes", r"^require k8s\.io/kubernetes (v\S+)")


@cache
def go_version() -> tuple[int, int]:
    """The oldest Go that can build all modules, such as (1, 26)."""
    versions = [_required(module.name, r"^go (\d+\.\d+)") for module in MODULES.iterdir()]
    return max((int(major), int(minor)) for major, minor in (v.split(".") for v in versions))


def _required(module: str, pattern: str) -> str:
    found = re.search(pattern, (MODULES / module / "go.mod").read_text(), re.MULTILINE)
    assert found, f"{module}/go.mod has no line like {pattern}"
    return found[1]


def linker_flags(module: str) -> str:
    """Without symbols; the programs of Kubernetes also carry their version, as its releases do."""
    if module != "kubernetes":
        return "-s -w"
    version = kubernetes_version()
    major, minor, _ = version.removeprefix("v").split(".")
    parts = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
    stamps = (f"-X k8s.io/component-base/version.{part}={is_}" for part, is_ in parts.items())
    return " ".join(["-s -w", *stamps])


def cache_key(module: Path, flags: str) -> str:
    """Names what a module's builds depend on: its sources, pinned versions and linker flags."""
    digest = hashlib.sha256(flags.encode())
    for file in sorted(file for file in module.rglob("*") if file.is_file()):
        digest.update(f"\0{file.relative_to(module)}\0".encode() + file.read_bytes())
    return f"{module.name}-{digest.hexdigest()[:16]}"


def location(name: str) -> Path:
    """Where a program is, or will be once it is built."""
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if assets and name in ASSETS and _is_whole(Path(assets) / name):
        return Path(assets) / name
    return _folder(PROGRAMS[name].module) / name


@cache
def _folder(module: str) -> Path:
    return cache_folder() / "binaries" / cache_key(MODULES / module, linker_flags(module))


def missing(names: Iterable[str]) -> list[str]:
    """Which programs have to be built, in the order in which they are quickest to build."""
    wanted = set(names)
    return [name for name in PROGRAMS if name in wanted and not _is_whole(location(name))]


def provide(names: Iterable[str], progress: Progress) -> None:
    """Build those programs that are not there yet.

    Each appears whole or not at all, so a build that was interrupted is simply done again.

    Raises:
        ClusterError: Go is missing, or a build failed; the message has the compiler's words.
    """
    names = list(names)
    if not missing(names):
        return
    with _one_builder():
        # Another builder may have made some while this one waited for the lock.
        for name in missing(names):
            with progress.stage(f"Build {name} from source"):
                _build(PROGRAMS[name], location(name))


def _is_whole(program: Path) -> bool:
    return os.access(program, os.X_OK) and program.stat().st_size > 0


def _build(program: Program, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    for left_over in target.parent.glob(f".{target.name}.*"):
        left_over.unlink()
    unfinished = target.with_name(f".{target.name}.{os.getpid()}")
    command = ["go", "build", "-trimpath", "-ldflags", linker_flags(program.module)]
    try:
        built = subprocess.run(
            [*command, "-o", str(unfinished), program.package],
            cwd=MODULES / program.module,
            env={**os.environ, "CGO_ENABLED": "0"},
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise ClusterError("Go is not installed: https://go.dev/doc/install") from error
    if built.returncode != 0:
        raise ClusterError(f"{target.name} could not be built:\n{built.stderr}")
    unfinished.rename(target)


@contextmanager
def _one_builder() -> Iterator[None]:
    """Two builders at a time would only halve each other's speed."""
    folder = cache_folder() / "binaries"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
