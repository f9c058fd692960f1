"""When a model is ready, and what is said when it is not."""

import pytest

from model_server.core.errors import Code, ServingError
from model_server.core.servable import ServableId, ServableStatus, State
from model_server.core.source import Finding
from model_server.service.readiness import ModelSeen, Readiness, Reason, draining, judge

BROKEN = ServingError(Code.NOT_FOUND, "no saved_model.pb")


def seen(named=(), finding=None, states=None, failures=None) -> ModelSeen:
    statuses = tuple(
        ServableStatus(ServableId("m", version), state) for version, state in (states or {}).items()
    )
    return ModelSeen("m", "/models/m", frozenset(named), finding, statuses, failures or {})


def found(*versions, aspired=None) -> Finding:
    return Finding(frozenset(versions), frozenset(versions if aspired is None else aspired))


RULES = [
    pytest.param(
        seen(), Reason.LOADING, "the base path has not been read yet", id="before the first look"
    ),
    pytest.param(
        seen(finding=Finding(missing_base_path=True, error="gone")),
        Reason.BASE_PATH_NOT_FOUND,
        "base path /models/m does not exist",
        id="no base path",
    ),
    pytest.param(
        seen(finding=Finding(error="/models/m: permission denied")),
        Reason.BASE_PATH_NOT_FOUND,
        "/models/m: permission denied",
        id="a base path that cannot be read",
    ),
    pytest.param(
        seen(finding=found()),
        Reason.VERSION_NOT_FOUND,
        "there is no version folder under /models/m",
        id="an empty base path",
    ),
    pytest.param(
        seen(named={3}, finding=found(1, 2, aspired=[])),
        Reason.VERSION_NOT_FOUND,
        "version 3 is not under /models/m; found versions 1, 2",
        id="another version",
    ),
    pytest.param(
        seen(named={3, 4}, finding=found(3), states={3: State.AVAILABLE}),
        Reason.VERSION_NOT_FOUND,
        "version 4 is not under /models/m; found version 3",
        id="one of two named versions",
    ),
    pytest.param(
        seen(named={3, 4}, finding=found()),
        Reason.VERSION_NOT_FOUND,
        "versions 3, 4 are not under /models/m; found no version",
        id="two versions of none",
    ),
    pytest.param(
        seen(finding=found(1, 2, aspired=())),
        Reason.VERSION_NOT_FOUND,
        "the version policy names no version; found versions 1, 2 under /models/m",
        id="a policy that names none",
    ),
    pytest.param(
        seen(finding=found(1), states={1: State.LOADING}),
        Reason.LOADING,
        "version 1 is loading",
        id="on its way",
    ),
    pytest.param(
        seen(finding=found(1), states={1: State.LOADING}, failures={1: BROKEN}),
        Reason.LOAD_FAILED,
        "version 1 failed to load: NOT_FOUND: no saved_model.pb",
        id="tried again after a failure",
    ),
    pytest.param(
        seen(finding=found(1), states={1: State.END}, failures={1: BROKEN}),
        Reason.LOAD_FAILED,
        "version 1 failed to load: NOT_FOUND: no saved_model.pb",
        id="given up",
    ),
    pytest.param(
        seen(finding=found(2), states={1: State.END, 2: State.LOADING}, failures={1: BROKEN}),
        Reason.LOADING,
        "version 2 is loading",
        id="a failure that is no longer aspired",
    ),
    pytest.param(
        seen(finding=found(1), states={1: State.AVAILABLE}),
        Reason.AVAILABLE,
        "version 1 is available",
        id="loaded",
    ),
    pytest.param(
        seen(finding=found(1, 2), states={1: State.AVAILABLE, 2: State.END}, failures={2: BROKEN}),
        Reason.AVAILABLE,
        "version 1 is available",
        id="an older version serves while a newer one fails",
    ),
    pytest.param(
        seen(named={1}, finding=Finding(missing_base_path=True), states={1: State.AVAILABLE}),
        Reason.AVAILABLE,
        "version 1 is available",
        id="loaded, and the base path gone since",
    ),
]


@pytest.mark.parametrize(("model", "reason", "message"), RULES)
def test_a_models_readiness_has_a_reason_and_a_sentence(model, reason, message):
    judged = judge(model)

    assert (judged.reason, judged.message) == (reason, message)
    assert judged.ready == (reason is Reason.AVAILABLE)


def test_the_server_is_ready_when_every_model_is():
    loaded = judge(seen(finding=found(1), states={1: State.AVAILABLE}))
    loading = judge(seen(finding=found(1), states={1: State.LOADING}))

    assert Readiness((loaded,)).ready
    assert not Readiness((loaded, loading)).ready


def test_a_draining_server_is_not_ready_and_says_so():
    assert draining(["m"]).as_json() == {
        "ready": False,
        "models": [
            {
                "name": "m",
                "ready": False,
                "reason": "Draining",
                "message": "the server is shutting down and finishes the requests it has",
            }
        ],
    }
