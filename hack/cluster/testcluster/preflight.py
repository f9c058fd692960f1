"""What must be there before anything is started; all that is missing is told at once."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from testcluster import binaries, cgroups, network
from testcluster.addresses import prefix
from testcluster.failures import ClusterError
from testcluster.folders import ClusterFolder
from testcluster.node_files import CNI_PLUGINS
from testcluster.ports import listener
from testcluster.tools import run

# The tools of a whole cluster, and the Debian packages that have them.
_PACKAGES = {
    "ip": "iproute2",
    "nsenter": "util-linux",
    "unshare": "util-linux",
    "mount": "mount",
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "nft": "nftables",
    "iptables": "iptables",
    "conntrack": "conntrack",
    str(CNI_PLUGINS / "ptp"): "containernetworking-plugins",
    str(CNI_PLUGINS / "host-local"): "containernetworking-plugins",
}
# A UNIX socket's path may have 107 characters, and containerd adds some to the folder's.
_LONGEST_FOLDER = 75


@dataclass(frozen=True)
class Problem:
    """Something that is missing or in the way, and what to do about it."""

    what: str
    remedy: str


class PreflightFailed(ClusterError):
    """Nothing was started."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        lines = [f"  - {problem.what}\n      {problem.remedy}" for problem in problems]
        super().__init__("\n".join(["nothing was started:", *lines]))
        self.problems = tuple(problems)


def require(problems: Iterable[Problem]) -> None:
    """Raises PreflightFailed if there is any problem."""
    if found := list(problems):
        raise PreflightFailed(found)


def for_control_plane(programs: Iterable[str]) -> list[Problem]:
    """What stands in the way of a control plane of these programs."""
    names = list(programs)
    return [
        *missing_tools(["setpriv"], shutil.which),
        *unfit_go(binaries.missing(names), _go_says()),
        *_unfit_assets(names),
    ]


def for_cluster(folder: ClusterFolder, programs: Iterable[str], port: int) -> list[Problem]:
    """What stands in the way of a whole cluster that is not there yet."""
    names = list(programs)
    problems = missing_tools(_PACKAGES, shutil.which)
    problems += unfit_go(binaries.missing(names), _go_says())
    problems += _unfit_assets(names) + _long_folder(folder) + _taken_port(port)
    if os.geteuid() != 0:
        problems.append(
            Problem(
                "a whole cluster needs root, for namespaces, mounts and cgroups",
                "run it as root (sudo), or take a control plane: cluster up --control-plane",
            )
        )
        return problems
    return problems + _no_namespaces() + _no_cgroups() + _clash(folder.name)


def missing_tools(names: Iterable[str], find: Callable[[str], str | None]) -> list[Problem]:
    """One problem for all tools that cannot be found, with the packages that have them."""
    absent = [name for name in names if find(name) is None]
    if not absent:
        return []
    packages = sorted({_PACKAGES.get(name, "util-linux") for name in absent})
    return [Problem(f"not installed: {', '.join(absent)}", f"apt-get install {' '.join(packages)}")]


def unfit_go(to_build: Sequence[str], said: str | None) -> list[Problem]:
    """The problem of Go, if there is something to build. `said`: what `go version` prints."""
    if not to_build:
        return []
    oldest = binaries.go_version()
    wanted = f"{oldest[0]}.{oldest[1]}"
    remedy = f"install Go {wanted} or later: https://go.dev/doc/install"
    if said is None:
        return [Problem(f"Go is missing, and {', '.join(to_build)} must be built", remedy)]
    version = re.search(r"\bgo(\d+)\.(\d+)", said)
    if version is None or (int(version[1]), int(version[2])) < oldest:
        return [Problem(f"Go is too old ({said.strip()}): {wanted} is needed", remedy)]
    return []


def _go_says() -> str | None:
    try:
        return run(["go", "version"])
    except FileNotFoundError:
        return None


def _unfit_assets(programs: Sequence[str]) -> list[Problem]:
    """Programs of Kubernetes run together only in one minor version."""
    if not set(programs) - set(binaries.ASSETS):
        return []
    api_server = binaries.location("kube-apiserver")
    if not os.environ.get("KUBEBUILDER_ASSETS") or not api_server.exists():
        return []
    said = run([api_server, "--version"])
    pinned = binaries.kubernetes_version()
    if said.split(".")[1] == pinned.split(".")[1]:
        return []
    what = f"KUBEBUILDER_ASSETS has {said.strip()}, but the other programs are {pinned}"
    return [Problem(what, "unset KUBEBUILDER_ASSETS")]


def _long_folder(folder: ClusterFolder) -> list[Problem]:
    if len(str(folder.path)) <= _LONGEST_FOLDER:
        return []
    what = f"the path {folder.path} is too long for sockets in it"
    return [Problem(what, "set MODELFLEET_STATE to a shorter folder")]


def _taken_port(port: int) -> list[Problem]:
    try:
        listener(port).close()
    except OSError as error:
        what = f"port {port} on 127.0.0.1 cannot be had ({error.strerror})"
        return [Problem(what, "leave --port out, and a free one is taken")]
    return []


def _no_namespaces() -> list[Problem]:
    tried = subprocess.run(
        ["unshare", "--net", "--mount", "true"], capture_output=True, text=True, check=False
    )
    if tried.returncode == 0:
        return []
    what = f"root may not make namespaces here ({tried.stderr.strip()})"
    return [Problem(what, "in a container, run that with --privileged")]


def _no_cgroups() -> list[Problem]:
    mounted = cgroups.hierarchies(Path("/proc/self/mounts").read_text())
    if mounted and os.access(mounted[0], os.W_OK):
        return []
    what = "cgroups cannot be written: /sys/fs/cgroup is missing or read-only"
    return [Problem(what, "in a container, run that with --privileged")]


def _clash(name: str) -> list[Problem]:
    in_the_way = [f"network namespace {found}" for found in network.namespaces(name)]
    if cgroups.exists(prefix(name)):
        in_the_way.append(f"cgroup {prefix(name)}")
    if not in_the_way:
        return []
    what = f"in use, but not by a cluster of {name!r} known here: {', '.join(in_the_way)}"
    remedy = f"take another --name, or if it is left over: cluster down --name {name}"
    return [Problem(what, remedy)]
