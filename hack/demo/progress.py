"""A line for each stage of the demo: what is being done, and how long it took."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape


class Progress:
    """Prints a spinner while a stage runs and a line with elapsed time when it ends.

    Where the output is no terminal (CI), only the finished lines are printed.
    """

    def __init__(self) -> None:
        self.console = Console(highlight=False, soft_wrap=True)
        self._started = time.monotonic()

    @contextmanager
    def stage(self, title: str) -> Iterator[None]:
        """Run the body as one stage; its failure is marked and passed on."""
        began = time.monotonic()
        try:
            with self.console.status(escape(title)):
                yield
        except BaseException:
            self._line("[red]✗[/]", title, began)
            raise
        self._line("[green]✓[/]", title, began)

    def say(self, text: str = "") -> None:
        """Print text as it is."""
        self.console.print(escape(text))

    def _line(self, mark: str, title: str, began: float) -> None:
        now = time.monotonic()
        self.console.print(
            f"{mark} {escape(title):<62} {now - began:6.1f} s"
            f"   [dim]{now - self._started:6.1f} s in all[/]"
        )
        sys.stdout.flush()
