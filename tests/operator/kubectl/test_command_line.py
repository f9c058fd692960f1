"""What users type, and how mistakes in it end."""

from datetime import timedelta

import pytest

from kubectl_modelfleet.cluster.connection import Chosen
from kubectl_modelfleet.command_line import parsed
from kubectl_modelfleet.commands.history import History
from kubectl_modelfleet.commands.order import Steer
from kubectl_modelfleet.commands.status import Status
from kubectl_modelfleet.commands.waiting import ONCE, Patience
from kubectl_modelfleet.steering.orders import Command

TEN_MINUTES = Patience(True, timedelta(minutes=10))


@pytest.mark.parametrize(
    ("line", "wish"),
    [
        ("status m", Status()),
        ("status m -w", Status(follows=True)),
        ("status m -o json --wait", Status("json", False, Patience(True))),
        ("status m --timeout 10m", Status(patience=TEN_MINUTES)),
        ("promote m", Steer(Command.PROMOTE)),
        ("promote m --step --wait", Steer(Command.PROMOTE, Patience(True), one_step=True)),
        ("abort m --timeout=10m", Steer(Command.ABORT, TEN_MINUTES)),
        ("retry m", Steer(Command.RETRY, ONCE)),
        ("rollback m", Steer(Command.ROLLBACK)),
        ("rollback m --to r", Steer(Command.ROLLBACK, to="r")),
        ("rollback m --to-version 3", Steer(Command.ROLLBACK, to_version=3)),
        ("history m", History()),
    ],
)
def test_each_command_line_is_one_wish(line, wish):
    found = parsed(line.split())

    assert found.wish == wish
    assert found.name == "m"


def test_the_cluster_is_chosen_as_with_kubectl():
    found = parsed(["status", "m", "-n", "shop", "--context", "prod", "--kubeconfig", "/k"])

    assert found.chosen == Chosen("/k", "prod", "shop")


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("10m", 600), ("1h30m", 5400), ("1.5m", 90), ("500ms", 0.5)]
)
def test_durations_are_written_as_in_kubectl(text, seconds):
    wish = parsed(["status", "m", "--timeout", text]).wish

    assert wish == Status(patience=Patience(True, timedelta(seconds=seconds)))


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("", "required: COMMAND"),
        ("status", "required: NAME"),
        ("stauts m", "invalid choice: 'stauts'"),
        ("status m --timeout soon", "'soon' is no duration, such as 90s, 10m or 1h30m"),
        ("status m --timeout 10", "'10' is no duration"),
        ("status m -o xml", "invalid choice: 'xml'"),
        ("rollback m --to r --to-version 3", "not allowed with"),
        ("promote m --to r", "unrecognized arguments: --to r"),
    ],
)
def test_a_mistyped_command_ends_with_the_code_of_errors(line, says, capsys):
    with pytest.raises(SystemExit) as ended:
        parsed(line.split())

    assert ended.value.code == 1
    assert says in capsys.readouterr().err
