"""Trees on a terminal and in a pipe."""

from io import StringIO

import pytest
from rich.console import Console

from kubectl_modelfleet.screen import Screen
from kubectl_modelfleet.tree.lines import Line, Tone

TREE = Line("ranker in shop", Tone.GOOD, (Line("next: [5 %] " + "soon " * 40, Tone.BAD),))


@pytest.fixture
def output():
    return StringIO()


@pytest.fixture
def pipe(output):
    return Screen(Console(file=output, width=40))


@pytest.fixture
def terminal(output):
    return Screen(Console(file=output, width=40, force_terminal=True, color_system="standard"))


def test_in_a_pipe_lines_are_plain_and_whole(pipe, output):
    pipe.show(TREE)

    assert output.getvalue() == f"ranker in shop\n└── next: [5 %] {'soon ' * 40}".rstrip() + "\n"


def test_in_a_pipe_a_tree_comes_again_only_when_it_has_changed(pipe, output):
    with pipe:
        pipe.show(Line("one"))
        pipe.show(Line("one"))
        pipe.show(Line("two"))

    assert output.getvalue() == "one\n\ntwo\n"


def test_on_a_terminal_tones_are_colours_and_lines_fit(terminal, output):
    terminal.show(TREE)

    shown = output.getvalue()
    assert "\x1b[32mranker in shop\x1b[0m" in shown
    assert "\x1b[31m" in shown
    assert "[5 %]" in shown
    assert len(shown.splitlines()) > 3


def test_on_a_terminal_a_live_tree_takes_the_place_of_the_one_before(terminal, output):
    with terminal:
        terminal.show(Line("one"))
        terminal.show(Line("two"))

    after = output.getvalue().partition("one")[2]
    assert "\x1b[2K" in after.partition("two")[0]
