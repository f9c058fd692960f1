"""The command `kubectl modelfleet`: what was typed, carried out; an exit code."""

import asyncio
import signal
import sys
from collections.abc import Sequence

from rich.console import Console

from kubectl_modelfleet.cluster.connection import connected
from kubectl_modelfleet.cluster.errors import Failed
from kubectl_modelfleet.cluster.objects import Subject
from kubectl_modelfleet.command_line import Invocation, parsed
from kubectl_modelfleet.commands.exit_codes import Exit
from kubectl_modelfleet.commands.history import History, history
from kubectl_modelfleet.commands.order import Steer, steer
from kubectl_modelfleet.commands.status import Status, status
from kubectl_modelfleet.screen import Screen
from kubectl_modelfleet.steering.errors import Refused

# What shells have for a process that was interrupted.
_INTERRUPTED = 128 + signal.SIGINT


def main(arguments: Sequence[str] | None = None) -> int:
    """The console script."""
    invocation = parsed(arguments)
    try:
        return asyncio.run(_run(invocation, Screen(Console(highlight=False))))
    except KeyboardInterrupt:
        return _INTERRUPTED
    except (Failed, Refused) as error:
        print(f"error: {error}", file=sys.stderr)
        if error.hint:
            print(f"hint: {error.hint}", file=sys.stderr)
        return Exit.ERROR


async def _run(invocation: Invocation, screen: Screen) -> Exit:
    async with connected(invocation.chosen) as access:
        subject = Subject(access, invocation.name)
        match invocation.wish:
            case Status() as wish:
                return await status(wish, subject, screen)
            case Steer() as wish:
                return await steer(wish, subject, screen)
            case History():
                return await history(subject, screen)


if __name__ == "__main__":
    sys.exit(main())
