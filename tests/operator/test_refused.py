"""What the API server will not have is told, and what serves goes on serving."""

import pytest

from model_operator.domain.errors import ApiError
from model_operator.domain.wish.spec import identify
from model_operator.plan.plan import plan_for_refused

QUOTA = ApiError("PATCH /apis/apps/v1", 403, "exceeded quota: none")
INVALID = ApiError("PATCH /apis/apps/v1", 422, "spec.template: Invalid value")


def told(world, error):
    plan = plan_for_refused(identify(world.body), error, world.observe(), world.now)
    assert plan.apply == plan.delete == ()
    world.body["status"] = plan.status or world.body["status"]
    return plan


@pytest.mark.parametrize(
    ("error", "condition"),
    [
        pytest.param(QUOTA, "Reconciling", id="a quota may be raised"),
        pytest.param(INVALID, "Stalled", id="what is not valid stays so"),
    ],
)
def test_a_refusal_is_told_in_the_api_servers_words(serving, error, condition):
    told(serving, error)

    assert serving.condition("Ready")["reason"] == "Refused"
    assert serving.condition("Ready")["message"] == error.message
    assert serving.condition(condition)["status"] == "True"


def test_what_serves_goes_on_serving(serving):
    stable = serving.stable()

    told(serving, INVALID)

    assert serving.stable() == stable
    assert serving.condition("Available")["status"] == "True"


def test_the_same_refusal_is_told_once(serving):
    told(serving, QUOTA)

    assert told(serving, QUOTA).status is None
