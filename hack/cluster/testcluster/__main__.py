"""The command line of the test cluster."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from testcluster import accelerators, binaries, status
from testcluster.client import Client
from testcluster.cluster import Cluster, Wish
from testcluster.control_plane import Contents, ControlPlane
from testcluster.failures import ClusterError
from testcluster.folders import folder_of
from testcluster.passthrough import split
from testcluster.progress import Progress

DEFAULT_NAME = "modelfleet"
_PASSED_THROUGH = ("kubectl", "helm")


def main(words: Sequence[str]) -> int:
    """Run one command; the exit code is kubectl's or helm's where one of them was asked for."""
    try:
        if words and words[0] in _PASSED_THROUGH:
            return _pass_through(words[0], words[1:])
        arguments = _parser().parse_args(words)
        command: Callable[[argparse.Namespace], int] = arguments.run
        return command(arguments)
    except ClusterError as error:
        print(f"cluster: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("cluster: interrupted; `up` again heals what was begun", file=sys.stderr)
        return 130


def _pass_through(program: str, words: Sequence[str]) -> int:
    name, rest = split(words, DEFAULT_NAME)
    client = Client(folder_of(name))
    if client.state.complete:
        binaries.provide([program], Progress())
    command = [str(binaries.location(program)), *rest]
    # It becomes the program, so signals, terminal and exit code are the program's own.
    os.execve(command[0], command, client.environment())


def _up(arguments: argparse.Namespace) -> int:
    counts = accelerators.parse(arguments.accelerators)
    progress = Progress()
    _refuse_mixtures(arguments)
    if arguments.control_plane:
        contents = Contents(arguments.controllers, arguments.kwok_nodes, counts)
        ControlPlane(contents, folder_of(arguments.name), progress).up()
    else:
        wish = Wish(arguments.nodes, tuple(counts.items()), arguments.port)
        Cluster(arguments.name, progress).up(wish)
    return 0


def _refuse_mixtures(arguments: argparse.Namespace) -> None:
    alone = arguments.controllers or arguments.kwok_nodes
    if alone and not arguments.control_plane:
        raise ClusterError("--controllers and --kwok-nodes go with --control-plane")
    if arguments.control_plane and (arguments.nodes > 1 or arguments.port):
        raise ClusterError("--nodes and --port do not go with --control-plane")


def _down(arguments: argparse.Namespace) -> int:
    with Progress().stage(f"Remove {arguments.name}"):
        Client(folder_of(arguments.name)).down()
    return 0


def _status(arguments: argparse.Namespace) -> int:
    client = Client(folder_of(arguments.name))
    print(status.describe(client))
    return 0 if client.is_healthy() else 1


def _load(arguments: argparse.Namespace) -> int:
    cluster = Cluster(arguments.name, Progress())
    for image in arguments.images:
        cluster.load(image)
    return 0


def _accelerate(arguments: argparse.Namespace) -> int:
    counts = accelerators.parse(arguments.accelerators)
    Client(folder_of(arguments.name)).accelerate(arguments.node, counts, arguments.taint)
    return 0


def _kubeconfig(arguments: argparse.Namespace) -> int:
    client = Client(folder_of(arguments.name))
    assert client.state
    print(client.kubeconfig)
    return 0


def _build(arguments: argparse.Namespace) -> int:
    names = arguments.programs or list(binaries.PROGRAMS)
    if unknown := set(names) - set(binaries.PROGRAMS):
        raise ClusterError(f"no such program: {', '.join(sorted(unknown))}")
    binaries.provide(names, Progress())
    for name in names:
        print(binaries.location(name))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cluster", description="A real Kubernetes on this machine, for demo and tests."
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(run: Callable[[argparse.Namespace], int], help_: str) -> argparse.ArgumentParser:
        added = commands.add_parser(run.__name__.strip("_"), help=help_, description=help_)
        added.add_argument("--name", default=DEFAULT_NAME, help="of the cluster (%(default)s)")
        added.set_defaults(run=run)
        return added

    _add_up_options(command(_up, "make a cluster, or what is missing of it"))
    command(_down, "remove a cluster and all that is left of it")
    command(_status, "tell what runs; the exit code is 0 if all does")
    load = command(_load, "bring images from buildah's storage to the nodes")
    load.add_argument("images", nargs="+", metavar="IMAGE")
    accelerate = command(_accelerate, "give a node accelerators that are not there")
    accelerate.add_argument("node", metavar="NODE")
    accelerate.add_argument("accelerators", nargs="+", metavar="RESOURCE=N")
    accelerate.add_argument("--taint", action="store_true", help="keep other pods off, as GKE does")
    command(_kubeconfig, "print the path of the administrator's kubeconfig")
    build = command(_build, "build the programs, or tell where they are")
    build.add_argument("programs", nargs="*", metavar="PROGRAM")
    for program in _PASSED_THROUGH:
        commands.add_parser(program, help=f"run {program} [--name NAME] [--] ...", add_help=False)
    return parser


def _add_up_options(up: argparse.ArgumentParser) -> None:
    up.add_argument("--nodes", type=_count(200), default=1, help="real nodes (%(default)s)")
    up.add_argument(
        "--accelerators",
        nargs="+",
        default=[],
        metavar="RESOURCE=N",
        help="that each node pretends to have, like nvidia.com/gpu=4",
    )
    up.add_argument("--port", type=int, default=0, help="of the API server on loopback (any)")
    alone = up.add_argument_group("a control plane alone, without root")
    alone.add_argument("--control-plane", action="store_true", help="only etcd and API server")
    alone.add_argument("--controllers", action="store_true", help="and the controllers")
    alone.add_argument(
        "--kwok-nodes", type=_count(5000), default=0, metavar="N", help="and nodes of kwok's"
    )


def _count(most: int) -> Callable[[str], int]:
    def parse(word: str) -> int:
        if not word.isdigit() or not 0 < int(word) <= most:
            raise argparse.ArgumentTypeError(f"{word!r} is no number from 1 to {most}")
        return int(word)

    return parse


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
