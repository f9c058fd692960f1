"""What routers say of the weights that they hold to."""

from math import inf

import pytest

from model_operator.cluster.routers import weights_in


@pytest.mark.parametrize(
    ("answer", "weights"),
    [
        pytest.param(
            {"models": [{"name": "b"}, {"name": "a", "weights": {"a-1": 90, "a-2": 10}}]},
            {"a-1": 90, "a-2": 10},
            id="told",
        ),
        pytest.param({"models": [{"name": "a", "weights": {}}]}, None, id="not programmed"),
        pytest.param({"models": [{"name": "a"}]}, None, id="an older router"),
        pytest.param({"models": []}, None, id="another model"),
        pytest.param({"models": [{"name": "a", "weights": {"a-1": "x"}}]}, None, id="no number"),
        pytest.param({"models": [{"name": "a", "weights": {"a-1": inf}}]}, None, id="no end"),
        pytest.param(None, None, id="silent"),
        pytest.param(["ready"], None, id="somebody else"),
    ],
)
def test_weights_are_read_from_what_a_router_says(answer, weights):
    assert weights_in(answer, "a") == weights
