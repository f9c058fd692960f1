"""The command kubectl_complete-modelfleet: what may stand at the end of a command line.

Protocol: a suggestion a line, with a tab before its description, and a last line with a directive
(https://github.com/spf13/cobra/blob/main/completions.go), as kubectl asks of plugins.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from enum import Enum

from kubectl_modelfleet.cluster.connection import Chosen, connected
from kubectl_modelfleet.cluster.errors import Failed
from kubectl_modelfleet.cluster.objects import Subject
from kubectl_modelfleet.command_line import Parser, commands_of, parser
from kubectl_modelfleet.seen.history import read_history

# No names of files where nothing else is known.
_NO_FILES = ":4"
# Whoever waits for a completion types on.
_SECONDS = 3.0


class Asked(Enum):
    """What only the cluster can tell."""

    NAMES = "names"
    REVISIONS = "revisions"


def main(arguments: Sequence[str] | None = None) -> int:
    """The console script."""
    words = list(sys.argv[1:] if arguments is None else arguments) or [""]
    found = suggested(words)
    if isinstance(found, Asked):
        found = asyncio.run(_told(found, words))
    lines = [line for line in found if line.startswith(words[-1])]
    print("\n".join([*lines, _NO_FILES]))
    return 0


def suggested(words: Sequence[str]) -> list[str] | Asked:
    """What may stand in place of the last word, or what must be asked for that."""
    *before, last = words
    commands = commands_of(parser())
    if not before:
        return [f"{name}\t{found.description}" for name, found in commands.items()]
    command = commands.get(before[0])
    if command is None:
        return []
    options = {option: item for item in command._actions for option in item.option_strings}
    valued = options.get(before[-1])
    if valued is not None and valued.nargs != 0:
        if valued.dest == "to":
            return Asked.REVISIONS
        return [str(choice) for choice in valued.choices or ()]
    if last.startswith("-"):
        return [f"{option}\t{item.help}" for option, item in options.items()]
    return [] if _name_in(command, before[1:]) else Asked.NAMES


def _name_in(command: Parser, words: Sequence[str]) -> str:
    return str(_understood(command, words).name or "")


def _understood(command: Parser, words: Sequence[str]) -> argparse.Namespace:
    """The options of an unfinished command line; of one with mistakes, none."""
    nothing = argparse.Namespace(name="", namespace=None, context=None, kubeconfig=None)
    lenient = Parser(add_help=False, exit_on_error=False)
    lenient.add_argument("name", nargs="?")
    for action in command._actions:
        if action.option_strings and action.nargs != 0:
            lenient.add_argument(*action.option_strings, dest=action.dest)
    try:
        return lenient.parse_known_args(words)[0]
    except (argparse.ArgumentError, SystemExit):
        return nothing


async def _told(asked: Asked, words: Sequence[str]) -> list[str]:
    """What the cluster tells in time; nothing where it does not."""
    options = _understood(commands_of(parser())[words[0]], words[1:])
    chosen = Chosen(options.kubeconfig, options.context, options.namespace)
    try:
        async with asyncio.timeout(_SECONDS), connected(chosen) as access:
            subject = Subject(access, options.name or "")
            if asked is Asked.NAMES:
                return await subject.names_here()
            history = read_history(await subject.revisions())
    except (Failed, TimeoutError):
        return []
    return [f"{item.name}\tversion {item.version}" for item in history]


if __name__ == "__main__":
    sys.exit(main())
