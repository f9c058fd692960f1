"""Processes are found and ended by what they wrote down themselves."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from testcluster.failures import ClusterError
from testcluster.processes import Placement, Processes


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    running = Processes(tmp_path / "processes", tmp_path / "logs")
    yield running
    running.end_all()


def _wait_for_record(processes: Processes, name: str) -> None:
    processes.wait_until(lambda: name in processes.remembered(), f"{name} is there", within=10)


def test_a_process_is_remembered_by_name(processes: Processes) -> None:
    processes.start("sleeper", ["sleep", "60"])
    _wait_for_record(processes, "sleeper")

    assert processes.remembered()["sleeper"].is_alive()
    assert processes.ended() == []


def test_another_command_can_end_what_this_one_started(processes: Processes) -> None:
    processes.start("sleeper", ["sleep", "60"])
    _wait_for_record(processes, "sleeper")

    Processes(processes.records, processes.logs).end_all()

    assert processes.ended() == ["sleeper"]


def test_a_process_with_a_recycled_id_is_left_alone(processes: Processes) -> None:
    with subprocess.Popen(["sleep", "60"]) as stranger:
        stat = Path(f"/proc/{stranger.pid}/stat").read_text().split()
        stat[21] = str(int(stat[21]) - 1)
        processes.records.mkdir()
        (processes.records / "gone").write_text(" ".join(stat))

        processes.end_all()

        assert stranger.poll() is None
        stranger.kill()


def test_waiting_ends_with_the_last_words_of_a_process_that_ended(processes: Processes) -> None:
    processes.start("talker", ["sh", "-c", "echo the disk is full; exit 1"])

    with pytest.raises(ClusterError, match="talker ended:\nthe disk is full"):
        processes.wait_until(lambda: False, "it works", within=10)


def test_waiting_in_vain_says_what_for(processes: Processes) -> None:
    processes.start("sleeper", ["sleep", "60"])

    with pytest.raises(ClusterError, match="it works: not within"):
        processes.wait_until(lambda: False, "it works", within=0.1)


def test_an_open_descriptor_is_inherited(processes: Processes, tmp_path: Path) -> None:
    with (tmp_path / "inherited").open("w") as file:
        processes.start("writer", ["sh", "-c", "echo hello >&3"], inherited=file.fileno())
    _wait_for_end(processes, "writer")

    assert (tmp_path / "inherited").read_text() == "hello\n"


def test_a_bound_process_ends_with_the_one_that_started_it(
    processes: Processes, tmp_path: Path
) -> None:
    program = (
        "import pathlib, sys, time\n"
        "from testcluster.processes import Placement, Processes\n"
        "home = pathlib.Path(sys.argv[1])\n"
        "bound = Processes(home / 'processes', home / 'logs', Placement(bound=True))\n"
        "bound.start('sleeper', ['sleep', '60'])\n"
        "bound.wait_until(bound.remembered, 'it started', within=10)\n"
    )
    source = Path(__file__).parents[2] / "hack" / "cluster"

    subprocess.run(
        [sys.executable, "-c", program, tmp_path], check=True, env={"PYTHONPATH": str(source)}
    )
    _wait_for_end(processes, "sleeper")

    assert processes.ended() == ["sleeper"]


@pytest.mark.parametrize(
    ("placement", "expected"),
    [
        pytest.param(Placement(), ["etcd"], id="here"),
        pytest.param(
            Placement(through=("nsenter", "--net=x")), ["nsenter", "--net=x", "etcd"], id="in a net"
        ),
        pytest.param(Placement(bound=True), ["setpriv", "--pdeathsig", "KILL", "etcd"], id="bound"),
    ],
)
def test_a_program_is_started_through_its_place(placement: Placement, expected: list[str]) -> None:
    assert placement.command(Path("/record"), ["etcd"])[6:] == expected


def _wait_for_end(processes: Processes, name: str) -> None:
    limit = time.monotonic() + 180
    while processes.ended() != [name] and time.monotonic() < limit:
        time.sleep(0.02)
