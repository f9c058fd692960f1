"""A line for each stage of bringing a cluster up, with the time it took."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape


class Progress:
    """Shows a spinner while a stage runs and a line when it ends; plain lines without a terminal.

    Written to the error output: what a command answers is on the standard output.
    """

    def __init__(self, quiet: bool = False) -> None:
        self._console = Console(stderr=True, highlight=False, soft_wrap=True, quiet=quiet)

    @contextmanager
    def stage(self, title: str) -> Iterator[None]:
        """Run the body as one stage; its failure is marked and passed on."""
        began = time.monotonic()
        try:
            with self._console.status(escape(title)):
                yield
        except BaseException:
            self._line("[red]✗[/]", title, began)
            raise
        self._line("[green]✓[/]", title, began)

    def say(self, text: str) -> None:
        """Print text as it is."""
        self._console.print(escape(text))

    def _line(self, mark: str, title: str, began: float) -> None:
        self._console.print(f"{mark} {escape(title):<60} {time.monotonic() - began:6.1f} s")
