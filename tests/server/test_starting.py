"""What is true of a model while the server starts, and what clients are told of it."""

import threading

import pytest

from model_server.core.errors import Code, ServableNotFound, ServingError
from model_server.core.servable import ServableId, ServableStatus, State
from model_server.core.source import Finding
from model_server.service.readiness import ModelSeen
from model_server.service.starting import Starting, absence, had_its_chance

BROKEN = ServingError(Code.NOT_FOUND, "no saved_model.pb")
ABSENT = ServableNotFound("m")


def seen(finding=None, states=None, failures=None) -> ModelSeen:
    statuses = tuple(
        ServableStatus(ServableId("m", version), state) for version, state in (states or {}).items()
    )
    return ModelSeen("m", "/models/m", frozenset(), finding, statuses, failures or {})


def found(*versions) -> Finding:
    return Finding(frozenset(versions), frozenset(versions))


LOADING = seen(found(1), {1: State.LOADING})
RETRIED = seen(found(1), {1: State.LOADING}, {1: BROKEN})
ENDED = seen(found(1), {1: State.END}, {1: BROKEN})
MISSING = seen(Finding(missing_base_path=True, error="gone"))

CHANCES = [
    pytest.param(seen(), False, id="before the first look"),
    pytest.param(LOADING, False, id="while it loads"),
    pytest.param(seen(found(1)), False, id="before it begins to load"),
    pytest.param(seen(found(1, 2), {1: State.AVAILABLE}), True, id="ready with one of two"),
    pytest.param(seen(found(1, 2), {1: State.END}), False, id="one of two failed"),
    pytest.param(seen(found(1, 2), {1: State.AVAILABLE, 2: State.END}), True, id="both versions"),
    pytest.param(RETRIED, True, id="failed once and tried again"),
    pytest.param(ENDED, True, id="failed for good"),
    pytest.param(MISSING, True, id="no base path"),
    pytest.param(seen(found()), True, id="no version"),
]


@pytest.mark.parametrize(("model", "had"), CHANCES)
def test_a_model_had_its_chance_when_it_is_ready_or_each_version_was_tried(model, had):
    assert had_its_chance(model) is had


@pytest.mark.parametrize(
    ("model", "message"),
    [
        pytest.param(
            LOADING, "Model m is not available yet: version 1 is loading", id="while it loads"
        ),
        pytest.param(
            RETRIED,
            "Model m is not available yet: version 1 failed to load: NOT_FOUND: no saved_model.pb",
            id="while it is tried again",
        ),
    ],
)
def test_clients_are_told_to_come_again_for_what_may_yet_come(model, message):
    told = absence(ABSENT, model)

    assert (told.code, told.message) == (Code.UNAVAILABLE, message)


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(None, id="no such model"),
        pytest.param(ENDED, id="failed for good"),
        pytest.param(MISSING, id="no base path"),
        pytest.param(seen(found(1, 2), {1: State.AVAILABLE}), id="another version is there"),
    ],
)
def test_clients_are_told_that_there_is_none_when_that_is_so(model):
    assert absence(ABSENT, model) is ABSENT


class Nothing:
    """A lender with nothing to lend."""

    def handle(self, name, version=None, label=None):
        raise ServableNotFound(name, version)


def test_absence_is_no_final_answer_until_the_start_is_over():
    models = [LOADING]
    over = threading.Event()
    starting = Starting(Nothing(), lambda: models, over.set)
    starting.start()

    with pytest.raises(ServingError, match="The server is starting") as during:
        starting.handle("nobody")
    models[:] = [ENDED]
    assert over.wait(180)
    with pytest.raises(ServingError, match="Servable not found") as after:
        starting.handle("nobody")

    assert (during.value.code, after.value.code) == (Code.UNAVAILABLE, Code.NOT_FOUND)


def test_a_model_configured_later_is_absent_until_it_is_available():
    models: list[ModelSeen] = []
    over = threading.Event()
    starting = Starting(Nothing(), lambda: models, over.set)
    starting.start()
    assert over.wait(180)

    models[:] = [LOADING]

    with pytest.raises(ServableNotFound):
        starting.handle("m")
