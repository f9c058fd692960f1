"""Handles: who gets which version, and that nothing in use is unloaded."""

import gc
import weakref
from collections.abc import Iterator
from datetime import timedelta

import pytest

from model_server.core.errors import (
    Code,
    LabelNotAssignable,
    ServableNotFound,
    ServingError,
    UnknownLabel,
)
from model_server.core.lending import Lent
from model_server.core.manager import Manager
from model_server.core.servable import ServableId, State
from server.core.fakes import FakeLoader, FakeServable
from server.core.replay import events, until


@pytest.fixture
def no_gc() -> Iterator[None]:
    """No cycle is collected, so what goes away goes because nothing holds it."""
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def two(manager: Manager[FakeServable]) -> Manager[FakeServable]:
    """Versions 1 and 2 of m are available."""
    manager.aspire("m", {1: FakeLoader("one"), 2: FakeLoader("two")})
    until(manager, State.AVAILABLE, 1, 2)
    return manager


def test_without_a_version_the_highest_is_lent(two: Manager[FakeServable]) -> None:
    assert two.handle("m").id.version == 2


def test_version_zero_can_be_lent(manager: Manager[FakeServable]) -> None:
    manager.aspire("m", {0: FakeLoader()})
    until(manager, State.AVAILABLE, 0)

    assert manager.handle("m").id.version == 0
    assert manager.handle("m", 0).id.version == 0


def test_a_version_can_be_asked_for(two: Manager[FakeServable]) -> None:
    assert two.handle("m", 1).servable.content == "one"


@pytest.mark.parametrize(
    ("name", "version", "message"),
    [
        pytest.param("x", None, "Servable not found for request: Latest(x)", id="no such model"),
        pytest.param("x", 1, "Servable not found for request: Specific(x, 1)", id="nor a version"),
        pytest.param(
            "m", 99, "Servable not found for request: Specific(m, 99)", id="no such version"
        ),
    ],
)
def test_what_is_not_there_is_not_found(
    two: Manager[FakeServable], name: str, version: int | None, message: str
) -> None:
    with pytest.raises(ServableNotFound) as raised:
        two.handle(name, version)

    assert (raised.value.code, raised.value.message) == (Code.NOT_FOUND, message)


def test_an_unload_waits_for_the_last_handle(two: Manager[FakeServable]) -> None:
    first, second = two.handle("m", 1), two.handle("m", 1)
    servable = first.servable
    two.aspire("m", {2: FakeLoader()})
    first.release()
    first.release()

    assert servable.is_loaded
    assert events(two)[-1] == "1 UNLOADING"

    second.release()
    until(two, State.END, 1)
    assert not servable.is_loaded


def test_a_version_that_waits_for_its_handles_is_not_lent_again(
    two: Manager[FakeServable],
) -> None:
    with two.handle("m", 1):
        two.aspire("m", {2: FakeLoader()})

        with pytest.raises(ServableNotFound):
            two.handle("m", 1)


def test_a_handle_that_is_held_does_not_keep_other_models_from_unloading(
    two: Manager[FakeServable],
) -> None:
    two.aspire("n", {1: FakeLoader()})
    until(two, State.AVAILABLE, 1, name="n")
    with two.handle("m", 1):
        two.aspire("m", {2: FakeLoader()})
        two.aspire("n", {})
        until(two, State.END, 1, name="n")


def test_a_released_handle_has_no_servable(two: Manager[FakeServable]) -> None:
    with two.handle("m") as handle:
        pass

    with pytest.raises(AttributeError):
        _ = handle.servable


@pytest.mark.usefixtures("no_gc")
def test_nothing_holds_the_memory_of_a_servable_after_its_end(two: Manager[FakeServable]) -> None:
    with two.handle("m", 1) as handle:
        seen = weakref.ref(handle.servable)
    two.aspire("m", {2: FakeLoader()})
    until(two, State.END, 1)

    assert seen() is None


@pytest.mark.usefixtures("no_gc")
def test_nothing_holds_what_a_failed_load_had_begun(manager: Manager[FakeServable]) -> None:
    begun: list[weakref.ref[FakeServable]] = []

    class Failing(FakeLoader):
        def load(self) -> FakeServable:
            half = FakeServable("half")
            begun.append(weakref.ref(half))
            raise ServingError(Code.DATA_LOSS, "truncated") from OSError("disk")

    manager.aspire("m", {1: Failing()})
    until(manager, State.END, 1)

    assert [half() for half in begun] == [None] * 6


def test_a_borrower_that_comes_with_the_recall_goes_away_without_a_trace() -> None:
    returned: list[str] = []
    lent = Lent(ServableId("m", 1), FakeServable(""), lambda: returned.append("once"))
    lent.recall()

    assert lent.borrow() is None
    assert not lent.is_out
    assert returned == ["once"]


def test_a_copy_of_a_handle_keeps_the_version_even_after_the_recall() -> None:
    returned: list[str] = []
    servable = FakeServable("")
    lent = Lent(ServableId("m", 1), servable, lambda: returned.append("once"))
    handle = lent.borrow()
    assert handle is not None
    lent.recall()

    with handle.copy() as copy:
        handle.release()
        assert copy.servable is servable
        assert lent.is_out

    assert not lent.is_out
    assert returned == ["once", "once"]


def test_a_label_chooses_a_version(two: Manager[FakeServable]) -> None:
    two.set_labels({"m": {"stable": 1, "canary": 2}})

    assert two.handle("m", label="stable").id.version == 1
    assert two.handle("m", label="canary").id.version == 2


def test_an_unknown_label_is_refused(two: Manager[FakeServable]) -> None:
    two.set_labels({"m": {"stable": 1}})

    with pytest.raises(UnknownLabel) as raised:
        two.handle("m", label="X")

    assert str(raised.value) == "INVALID_ARGUMENT: Unrecognized servable version label: X"


def test_labels_left_out_of_a_new_configuration_vanish(two: Manager[FakeServable]) -> None:
    two.set_labels({"m": {"stable": 1}})
    two.set_labels({"m": {"canary": 2}})

    assert two.labels("m") == {"canary": 2}


def test_a_label_for_a_version_not_loaded_is_refused_and_changes_nothing(
    two: Manager[FakeServable],
) -> None:
    two.set_labels({"m": {"stable": 1}})

    with pytest.raises(LabelNotAssignable) as raised:
        two.set_labels({"m": {"stable": 2, "canary": 3}})

    assert two.labels("m") == {"stable": 1}
    assert raised.value.code is Code.FAILED_PRECONDITION
    assert raised.value.message == (
        "Request to assign label to version 3 of model m, "
        "which is not currently available for inference"
    )


def test_a_new_label_may_await_its_version_if_so_configured(two: Manager[FakeServable]) -> None:
    two.set_labels({"m": {"next": 3}}, allow_unavailable=True)

    with pytest.raises(ServableNotFound):
        two.handle("m", label="next")
    two.aspire("m", {2: FakeLoader(), 3: FakeLoader()})
    until(two, State.AVAILABLE, 3)
    assert two.handle("m", label="next").id.version == 3


def test_a_label_in_use_never_moves_to_a_version_not_loaded(two: Manager[FakeServable]) -> None:
    two.set_labels({"m": {"stable": 1}})

    with pytest.raises(LabelNotAssignable):
        two.set_labels({"m": {"stable": 3}}, allow_unavailable=True)


def test_a_forgotten_model_loses_its_labels(two: Manager[FakeServable]) -> None:
    two.set_labels({"m": {"stable": 1}})
    two.forget("m")

    assert two.labels("m") == {}
    until(two, State.END, 1, 2)


def test_a_stop_unloads_everything_and_loads_nothing_more(two: Manager[FakeServable]) -> None:
    # A fake clock does not wait, so the end is awaited first.
    two.forget("m")
    until(two, State.END, 1, 2)

    assert two.stop(timedelta(seconds=1))
    two.aspire("m", {3: FakeLoader()})
    assert two.statuses("m", 3) == ()


def test_a_stop_tells_when_a_handle_was_not_returned_in_time(two: Manager[FakeServable]) -> None:
    with two.handle("m") as handle:
        assert not two.stop(timedelta(seconds=1))
        assert handle.servable.is_loaded
