"""What is remembered of a cluster between two commands."""

from pathlib import Path

from testcluster.state import Mode, State, read, write


def test_what_was_written_is_read(tmp_path: Path) -> None:
    state = State(Mode.WHOLE, 12345, nodes=2, complete=True)

    write(state, tmp_path / "cluster" / "state.json")

    assert read(tmp_path / "cluster" / "state.json") == state


def test_where_nothing_was_begun_nothing_is_known(tmp_path: Path) -> None:
    assert read(tmp_path / "state.json") is None


def test_a_write_that_was_interrupted_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    write(State(Mode.CONTROL_PLANE, 1), file)
    (tmp_path / "state.new").write_text('{"mode": "who')

    assert read(file) == State(Mode.CONTROL_PLANE, 1)
