"""How all requests are shared between the main model and its variants."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_operator.plan.arms.shares import shares_of

MAIN = st.integers(0, 100).map(lambda weight: {"stable": 100 - weight, "candidate": weight})
VARIANTS = (
    st.lists(st.integers(1, 30), max_size=8)
    .map(lambda weights: {f"v{place}": weight for place, weight in enumerate(weights)})
    .filter(lambda variants: sum(variants.values()) < 100)
)


@pytest.mark.parametrize(
    ("main", "variants", "shares"),
    [
        pytest.param({"a": 100}, {}, {"a": 100}, id="alone"),
        pytest.param({"a": 100, "old": 0}, {}, {"a": 100, "old": 0}, id="one that is kept"),
        pytest.param({"a": 100}, {"v": 20}, {"a": 80, "v": 20}, id="a variant"),
        pytest.param({"a": 100}, {"v": 20, "w": 5}, {"a": 75, "v": 20, "w": 5}, id="two variants"),
        pytest.param({"a": 90, "b": 10}, {"v": 20}, {"a": 72, "b": 8, "v": 20}, id="a canary"),
        pytest.param({"a": 95, "b": 5}, {"v": 50}, {"a": 48, "b": 2, "v": 50}, id="a half up"),
        pytest.param({"a": 50, "b": 50}, {"v": 25}, {"a": 38, "b": 37, "v": 25}, id="two halves"),
        pytest.param({"a": 99, "b": 1}, {"v": 80}, {"a": 19, "b": 1, "v": 80}, id="at least 1 %"),
        pytest.param({"a": 90, "b": 10}, {"v": 99}, {"a": 1, "b": 0, "v": 99}, id="no two of 1 %"),
    ],
)
def test_the_main_model_has_what_the_variants_leave(main, variants, shares):
    assert shares_of(main, True, variants) == shares


@pytest.mark.parametrize(
    ("variants", "shares"),
    [
        pytest.param({"v": 20}, {"a": 0, "v": 100}, id="one"),
        pytest.param({"v": 20, "w": 5}, {"a": 0, "v": 80, "w": 20}, id="by their weights"),
        pytest.param({"v": 1, "w": 1, "x": 1}, {"a": 0, "v": 34, "w": 33, "x": 33}, id="thirds"),
        pytest.param({}, {"a": 100}, id="none"),
    ],
)
def test_variants_share_it_all_while_the_main_model_cannot_answer(variants, shares):
    assert shares_of({"a": 100}, False, variants) == shares


@given(MAIN, st.booleans(), VARIANTS)
def test_shares_are_100_together_and_none_is_made_up(main, is_ready, variants):
    shares = shares_of(main, is_ready, variants)

    assert sum(shares.values()) == 100
    assert shares.keys() == main.keys() | variants.keys()
    assert all(share >= 0 for share in shares.values())
    assert all(shares[name] == 0 for name, weight in main.items() if weight == 0)
    assert not (variants and not is_ready) or shares["stable"] == shares["candidate"] == 0


@given(MAIN, VARIANTS)
def test_each_has_its_share_as_near_as_whole_percents_come(main, variants):
    shares = shares_of(main, True, variants)
    rest = 100 - sum(variants.values())

    assert {name: shares[name] for name in variants} == variants
    for name, weight in main.items():
        assert abs(shares[name] - weight * rest / 100) < 1
        assert shares[name] > 0 or weight == 0 or rest < 2


@given(st.integers(0, 99), VARIANTS)
def test_a_candidate_that_is_raised_never_gets_less(weight, variants):
    def share(of):
        return shares_of({"stable": 100 - of, "candidate": of}, True, variants)["candidate"]

    assert share(weight) <= share(weight + 1)
