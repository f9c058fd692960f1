"""Which words of `cluster kubectl` are the cluster's and which are kubectl's."""

import pytest

from testcluster.passthrough import split


@pytest.mark.parametrize(
    ("words", "name", "rest"),
    [
        pytest.param([], "default", [], id="nothing"),
        pytest.param(["get", "pods"], "default", ["get", "pods"], id="all is kubectl's"),
        pytest.param(["-n", "a", "get"], "default", ["-n", "a", "get"], id="options, too"),
        pytest.param(["--name", "x", "get"], "x", ["get"], id="a name first is ours"),
        pytest.param(["--name=x", "get"], "x", ["get"], id="in one word"),
        pytest.param(["--name", "x", "--", "get"], "x", ["get"], id="a dash dash ends ours"),
        pytest.param(["--", "--name", "x"], "default", ["--name", "x"], id="after it none is"),
        pytest.param(
            ["exec", "p", "--", "ls"], "default", ["exec", "p", "--", "ls"], id="a later one is not"
        ),
        pytest.param(["get", "--name", "x"], "default", ["get", "--name", "x"], id="a later name"),
    ],
)
def test_our_words_stand_first(words: list[str], name: str, rest: list[str]) -> None:
    assert split(words, "default") == (name, rest)
