"""Progress is told on the error output, where it is in nobody's way."""

import pytest

from testcluster.progress import Progress


def test_a_stage_is_a_plain_line_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Progress().stage("Build [etcd]"):
        pass

    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("✓ Build [etcd]")
    assert captured.err.endswith("s\n")


def test_a_stage_that_fails_is_marked_and_its_failure_passed_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(ValueError, match="no"), Progress().stage("Build"):
        raise ValueError("no")

    assert capsys.readouterr().err.startswith("✗ Build")
