"""What happened in a manager, in words that can be compared."""

from model_server.core.manager import Manager
from model_server.core.servable import ServableId, State
from server.core.fakes import FakeServable


def events(manager: Manager[FakeServable]) -> list[str]:
    """Every change of state so far, like "2 AVAILABLE"; of streams of one name."""
    return [
        f"{change.status.id.version} {change.status.state.name}" for change in manager.history()
    ]


def until(manager: Manager[FakeServable], state: State, *versions: int, name: str = "m") -> None:
    """Wait until these versions are in this state; fails if one ends in another."""
    wanted = [ServableId(name, version) for version in versions]
    reached = manager.wait_until(wanted, state)
    assert reached.ok, reached
