"""What is missing is told before anything is started, with the command that helps."""

import pytest

from testcluster.preflight import PreflightFailed, Problem, missing_tools, require, unfit_go


def test_all_missing_tools_are_one_command_away() -> None:
    found = missing_tools(["ip", "runc", "ctr", "containerd"], lambda name: None)

    assert [problem.remedy for problem in found] == ["apt-get install containerd iproute2 runc"]


def test_nothing_is_missing_where_all_is_found() -> None:
    assert missing_tools(["ip", "runc"], lambda name: f"/usr/bin/{name}") == []


@pytest.mark.parametrize(
    ("to_build", "said", "expected"),
    [
        pytest.param([], None, [], id="nothing to build, no Go needed"),
        pytest.param(["etcd"], "go version go1.26.8 linux/amd64", [], id="new enough"),
        pytest.param(["etcd"], "go version go2.0 linux/amd64", [], id="newer"),
        pytest.param(["etcd"], None, ["Go is missing, and etcd must be built"], id="no Go"),
        pytest.param(
            ["etcd"],
            "go version go1.19.8 linux/amd64",
            ["Go is too old (go version go1.19.8 linux/amd64): 1.26 is needed"],
            id="Debian 12's",
        ),
    ],
)
def test_go_must_fit_only_if_something_must_be_built(
    to_build: list[str], said: str | None, expected: list[str]
) -> None:
    assert [problem.what for problem in unfit_go(to_build, said)] == expected


def test_all_problems_are_told_together() -> None:
    problems = [Problem("no root", "use sudo"), Problem("no Go", "install Go")]

    with pytest.raises(PreflightFailed, match=r"no root\n +use sudo\n.*no Go\n +install Go"):
        require(problems)


def test_without_a_problem_nothing_happens() -> None:
    require([])
