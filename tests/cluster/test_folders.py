"""Where things are kept, and what a cluster may be called."""

from pathlib import Path

import pytest

from testcluster.failures import ClusterError
from testcluster.folders import cache_folder, clusters_folder, folder_of, one_at_a_time


@pytest.mark.parametrize("name", ["modelfleet", "a", "a-1", "a" * 30])
def test_a_plain_name_is_that_of_the_folder(name: str) -> None:
    assert folder_of(name).path == clusters_folder() / name


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("", id="nothing"),
        pytest.param("../other", id="a way to another folder"),
        pytest.param("Upper", id="an upper-case letter"),
        pytest.param("1st", id="a digit first"),
        pytest.param("last-", id="a dash last"),
        pytest.param("a" * 31, id="too long"),
        pytest.param("a*", id="a pattern"),
    ],
)
def test_a_name_that_could_not_be_part_of_others_is_refused(name: str) -> None:
    with pytest.raises(ClusterError, match="cannot name a cluster"):
        folder_of(name)


def test_the_projects_own_variables_win(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    monkeypatch.setenv("MODELFLEET_CACHE", str(tmp_path))

    assert cache_folder() == tmp_path


def test_without_them_the_users_standard_folders_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MODELFLEET_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")

    assert cache_folder() == Path("/elsewhere/modelfleet")


def test_the_lock_leaves_no_folder_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MODELFLEET_STATE", str(tmp_path / "state"))

    with pytest.raises(ClusterError), one_at_a_time():
        raise ClusterError("nothing came of it")

    assert not (tmp_path / "state").exists()


def test_the_lock_keeps_the_folder_of_a_cluster(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MODELFLEET_STATE", str(tmp_path / "state"))

    with one_at_a_time():
        folder_of("mine").inside("logs")

    assert folder_of("mine").path.is_dir()
