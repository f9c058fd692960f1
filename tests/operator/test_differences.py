"""What counts as a difference between what is observed and what is desired."""

import pytest

from model_operator.plan.differences import covers


@pytest.mark.parametrize(
    ("observed", "desired"),
    [
        pytest.param({"a": 1, "b": 2}, {"a": 1}, id="a default of the server"),
        pytest.param({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}, id="a default deep inside"),
        pytest.param({"args": ["x", "y"]}, {"args": ["x", "y"]}, id="equal lists"),
        pytest.param(
            {"containers": [{"name": "sidecar"}, {"name": "server", "image": "i", "tty": False}]},
            {"containers": [{"name": "server", "image": "i"}]},
            id="a container of somebody else",
        ),
        pytest.param(
            {"ports": [{"port": 1, "protocol": "TCP", "nodePort": 3}]},
            {"ports": [{"port": 1, "protocol": "TCP"}]},
            id="a default in an entry",
        ),
        pytest.param(
            {"limits": {"cpu": "500m", "memory": "1Gi"}},
            {"limits": {"cpu": 0.5, "memory": "1024Mi"}},
            id="a quantity written otherwise",
        ),
    ],
)
def test_no_difference(observed, desired):
    assert covers(observed, desired)


@pytest.mark.parametrize(
    ("observed", "desired"),
    [
        pytest.param({"a": 1}, {"a": 2}, id="another value"),
        pytest.param({}, {"a": 1}, id="a missing field"),
        pytest.param({"a": None}, {"a": {"b": 1}}, id="a missing part"),
        pytest.param({"args": ["x", "y", "z"]}, {"args": ["x", "y"]}, id="a longer list"),
        pytest.param({"args": None}, {"args": ["x"]}, id="no list"),
        pytest.param(
            {"containers": [{"name": "sidecar"}]},
            {"containers": [{"name": "server"}]},
            id="a missing container",
        ),
        pytest.param(
            {"selector": {"a": "1", "b": "2"}}, {"selector": {"a": "1"}}, id="a narrower selector"
        ),
        pytest.param({"limits": {"cpu": "1"}}, {"limits": {"cpu": "2"}}, id="another quantity"),
    ],
)
def test_a_difference(observed, desired):
    assert not covers(observed, desired)
