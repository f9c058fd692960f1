"""The most requests of one model: how the flag says it, and how they are counted."""

import pytest

from model_server.api.model_counts import ModelCounts
from model_server.core.errors import Code, ServingError
from model_server.options.command_line import InvalidOptions
from model_server.options.model_limits import ModelLimits, model_limits_of


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        pytest.param("", ModelLimits(), id="no limit"),
        pytest.param("8", ModelLimits(8), id="the same for each"),
        pytest.param("ranker=2", ModelLimits(0, {"ranker": 2}), id="for one only"),
        pytest.param(" 8, a=2 ,b=0", ModelLimits(8, {"a": 2, "b": 0}), id="each, but some"),
    ],
)
def test_limits_are_read_from_the_flag(text, limits):
    assert model_limits_of(text) == limits


@pytest.mark.parametrize("text", ["-1", "a", "a=", "a=x", "=3", "8,9", "a=1,a=2", f"{2**31}"])
def test_what_is_no_limit_is_refused_by_the_flags_name(text):
    with pytest.raises(InvalidOptions, match="--max_in_flight_requests_per_model"):
        model_limits_of(text)


def test_one_more_than_the_limit_is_refused_until_another_ends():
    counts, refused = ModelCounts(ModelLimits(1, {"wide": 2}).of), []

    with counts.request("a"), counts.request("wide"), counts.request("wide"):
        for model in ("a", "wide"):
            with pytest.raises(ServingError) as error:
                counts.request(model, lambda: refused.append(1)).__enter__()
            assert error.value.code is Code.RESOURCE_EXHAUSTED
            assert f"Model {model} has" in error.value.message
    with counts.request("a"), counts.request("wide"):
        pass

    assert len(refused) == 2


def test_models_that_are_not_served_are_counted_as_none():
    counts = ModelCounts(lambda _model: 1, {"here"}.__contains__)

    assert [counts.counted_as(name) for name in ("here", "there")] == ["here", ""]
    with counts.request(""), counts.request(""):
        pass
