"""Where output goes: in colours and in place on a terminal, as plain lines anywhere else."""

from typing import Self

from rich.console import Console
from rich.live import Live
from rich.text import Text
from rich.tree import Tree

from kubectl_modelfleet.tree.lines import Line, Tone

_STYLES = {
    Tone.PLAIN: "",
    Tone.GOOD: "green",
    Tone.BAD: "red",
    Tone.WAITING: "yellow",
    Tone.FAINT: "dim",
}
# Lines of a log or a pipe are not broken: whoever reads them may search for what they say.
_WIDEST = 4096


class Screen:
    """Trees, one after the other or, within `with`, each in the place of the one before."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._shown: list[str] = []

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live = Live(console=self._console, auto_refresh=False, transient=False)
            self._live.start()
        return self

    def __exit__(self, *_how: object) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def show(self, line: Line) -> None:
        """The tree; one that is the same as before is not printed again."""
        if self._live is not None:
            self._live.update(drawn(line), refresh=True)
            return
        if self._console.is_terminal:
            self._console.print(drawn(line))
            return
        plain = plain_lines(line)
        if plain != self._shown:
            self.say("\n".join([""] * bool(self._shown) + plain))
            self._shown = plain

    def say(self, text: str) -> None:
        """A plain text, as it is."""
        self._console.print(Text(text), soft_wrap=True)


def drawn(line: Line) -> Tree:
    """The tree for a console."""
    tree = Tree(Text(line.text, style=_STYLES[line.tone]), guide_style="dim")
    for below in line.below:
        tree.children.append(drawn(below))
    return tree


def plain_lines(line: Line) -> list[str]:
    """The tree without colours, and without breaks in its lines."""
    console = Console(width=_WIDEST, color_system=None)
    with console.capture() as captured:
        console.print(drawn(line))
    return [text.rstrip() for text in captured.get().splitlines()]
