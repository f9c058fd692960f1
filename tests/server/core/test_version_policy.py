"""Which versions are aspired."""

import pytest

from model_server.core.version_policy import All, Latest, Specific, VersionPolicy


@pytest.mark.parametrize(
    ("policy", "found", "aspired"),
    [
        pytest.param(Latest(), {42, 17}, {42}, id="the default is the highest version"),
        pytest.param(Latest(3), {42, 33, 30, 21, 17}, {42, 33, 30}, id="the three highest"),
        pytest.param(Latest(3), {1}, {1}, id="fewer are found than wanted"),
        pytest.param(Latest(0), {1, 2}, {2}, id="zero means one, as latest{} does"),
        pytest.param(Latest(), {0}, {0}, id="zero is a version"),
        pytest.param(Latest(), set(), set(), id="nothing found, nothing aspired"),
        pytest.param(All(), {17, 42}, {17, 42}, id="all of them"),
        pytest.param(Specific(frozenset({17, 30})), {17, 30, 42}, {17, 30}, id="those named"),
        pytest.param(Specific(frozenset({17, 99})), {17}, {17}, id="one named is not found"),
        pytest.param(Specific(frozenset()), {1, 2}, set(), id="none named, none aspired"),
    ],
)
def test_a_policy_chooses(policy: VersionPolicy, found: set[int], aspired: set[int]) -> None:
    assert policy.aspired(frozenset(found)) == aspired


def test_a_negative_number_of_versions_is_refused() -> None:
    with pytest.raises(ValueError, match="must not be negative, got -1"):
        Latest(-1)
