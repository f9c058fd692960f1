"""What users type: the commands, their options, and what each of them means."""

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from importlib.metadata import version
from typing import NoReturn

from kubectl_modelfleet.cluster.connection import Chosen
from kubectl_modelfleet.commands.exit_codes import Exit
from kubectl_modelfleet.commands.history import History
from kubectl_modelfleet.commands.order import Steer
from kubectl_modelfleet.commands.status import Status
from kubectl_modelfleet.commands.waiting import Patience
from kubectl_modelfleet.steering.orders import Command

PROGRAM = "kubectl modelfleet"
_UNITS = {"h": 3600, "m": 60, "s": 1, "ms": 0.001}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:h|ms|m|s))+")
_PART = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s)")


@dataclass(frozen=True)
class Invocation:
    """A command line that was understood."""

    chosen: Chosen
    name: str
    wish: Status | Steer | History


class Parser(argparse.ArgumentParser):
    """A mistyped command ends with the exit code of errors; argparse's own means NOT_YET here."""

    def error(self, message: str) -> NoReturn:
        self.print_usage()
        self.exit(Exit.ERROR, f"error: {message}\n")


def parser() -> Parser:
    """The whole command line."""
    found = Parser(
        prog=PROGRAM,
        description="Watch and steer the rollouts of ModelDeployments.",
        epilog="Exit codes: 0 done; 1 an error; with --wait also 2, not there when the time is "
        "over, and 3, stalled.",
    )
    found.add_argument("--version", action="version", version=f"modelfleet {version('modelfleet')}")
    commands = found.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_status(commands)
    promote = _add(commands, "promote", "give the candidate all requests, past its other steps")
    promote.add_argument(
        "--step", action="store_true", help="past the present step alone, such as one that pauses"
    )
    _add_patience(promote, "it serves alone, or with --step is past its step")
    abort = _add(commands, "abort", "give all requests back to the stable revision")
    _add_patience(abort, "it gets no more requests")
    retry = _add(commands, "retry", "begin the steps of an aborted candidate anew")
    _add_patience(retry, "the steps have begun")
    _add_rollback(commands)
    _add(commands, "history", "list the revisions that may be rolled back to")
    return found


def commands_of(whole: Parser) -> dict[str, Parser]:
    """The parser of each command, by its name."""
    for action in whole._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def parsed(arguments: Sequence[str] | None) -> Invocation:
    """What the arguments ask for; ends the process for a mistake in them."""
    options = parser().parse_args(arguments)
    chosen = Chosen(options.kubeconfig, options.context, options.namespace)
    return Invocation(chosen, options.name, _wish(options))


def duration(text: str) -> timedelta:
    """As in kubectl: `90s`, `10m`, `1h30m`.

    Raises:
        argparse.ArgumentTypeError: it is no such text.
    """
    if not _DURATION.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no duration, such as 90s, 10m or 1h30m")
    return timedelta(seconds=sum(float(n) * _UNITS[unit] for n, unit in _PART.findall(text)))


def _wish(options: argparse.Namespace) -> Status | Steer | History:
    if options.command == "history":
        return History()
    patience = Patience(options.wait or options.timeout is not None, options.timeout)
    if options.command == "status":
        return Status(options.output, options.watch, patience)
    return Steer(
        Command(options.command),
        patience,
        one_step=getattr(options, "step", False),
        to=getattr(options, "to", None),
        to_version=getattr(options, "to_version", None),
    )


def _add(commands: "argparse._SubParsersAction[Parser]", name: str, does: str) -> Parser:
    found = commands.add_parser(name, help=does, description=f"{does[0].upper()}{does[1:]}.")
    found.add_argument("name", metavar="NAME", help="the ModelDeployment")
    where = found.add_argument_group("where")
    where.add_argument("-n", "--namespace", help="default: the namespace of the context")
    where.add_argument("--context", help="default: the current one of the kubeconfig")
    where.add_argument("--kubeconfig", metavar="FILE", help="default: as kubectl finds it")
    return found


def _add_status(commands: "argparse._SubParsersAction[Parser]") -> None:
    does = "show revisions, pods, weights, conditions, and what is next"
    found = _add(commands, "status", does)
    found.add_argument("-w", "--watch", action="store_true", help="go on, and show each change")
    found.add_argument(
        "-o", "--output", choices=["tree", "json", "yaml"], default="tree", help="default: tree"
    )
    _add_patience(found, "the newest spec is carried out")


def _add_rollback(commands: "argparse._SubParsersAction[Parser]") -> None:
    found = _add(
        commands, "rollback", "serve an earlier revision, without steps, until spec changes"
    )
    to = found.add_mutually_exclusive_group()
    to.add_argument(
        "--to", metavar="REVISION", help="default: the former one, where only one may be meant"
    )
    to.add_argument("--to-version", metavar="N", type=int, help="the revision with that version")
    _add_patience(found, "it serves")


def _add_patience(found: Parser, end: str) -> None:
    found.add_argument("--wait", action="store_true", help=f"wait until {end}")
    found.add_argument(
        "--timeout",
        metavar="DURATION",
        type=duration,
        help="how long to wait, such as 90s or 10m (implies --wait; default: without end)",
    )
