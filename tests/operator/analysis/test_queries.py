"""What Prometheus is asked about a candidate, and what its answers come to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_operator.domain.errors import InvalidSpec
from model_operator.domain.evidence.promql import Answer
from model_operator.domain.evidence.stage import Verdict
from model_operator.domain.wish.analysis import Query
from model_operator.domain.wish.spec import parse
from model_operator.plan.analysis.findings import findings
from model_operator.plan.rollout.queries import questions, require_prometheus
from rollout_world import change, pass_time, served

CTR = {"name": "ctr", "query": 'ctr{r="${revision}", s="${stable}"}', "min": 0.02}
BETWEEN = Query("ctr", "ctr", lowest=0.02, highest=0.5)


@pytest.mark.parametrize(
    ("answer", "verdict", "words"),
    [
        (Answer(0.3), Verdict.PASS, "ctr is 0.3"),
        (Answer(0.02), Verdict.PASS, "ctr is 0.02"),
        (Answer(0.5), Verdict.PASS, "ctr is 0.5"),
        (Answer(0.0199999), Verdict.FAIL, "ctr is 0.0199999, below 0.02"),
        (Answer(7), Verdict.FAIL, "ctr is 7, above 0.5"),
        (Answer(None, "no data"), Verdict.INCONCLUSIVE, "ctr: no data"),
        (None, Verdict.INCONCLUSIVE, "ctr: not answered yet"),
    ],
)
def test_a_number_within_its_bounds_passes_and_none_is_inconclusive(answer, verdict, words):
    [found] = findings([BETWEEN], {} if answer is None else {"ctr": answer})

    assert (found.verdict, found.words) == (verdict, words)
    assert found.value == (answer.value if answer else None)


BOUND = st.none() | st.floats(-1e9, 1e9)


@given(BOUND, BOUND, st.none() | st.floats())
def test_only_a_number_within_all_bounds_passes(lowest, highest, value):
    answer = Answer(None, "no data") if value is None else Answer(value)
    [found] = findings([Query("ctr", "ctr", lowest, highest)], {"ctr": answer})

    is_within = value is not None and (lowest is None or value >= lowest)
    is_within = is_within and (highest is None or value <= highest)
    assert (found.verdict is Verdict.PASS) == is_within
    assert (found.verdict is Verdict.INCONCLUSIVE) == (value is None)


def asked(world):
    return questions(parse(world.body, False), world.body["status"])


@pytest.fixture
def world():
    return served(analysis={"prometheus": [CTR]})


def test_nothing_is_asked_while_nothing_changes(world):
    assert asked(world) is None


def test_what_is_asked_is_about_the_candidate_since_it_has_its_weight(world):
    old, new = change(world)

    found = asked(world)

    assert found.queries == {"ctr": f'ctr{{r="{new}", s="{old}"}}'}
    assert found.namespace == world.body["metadata"]["namespace"]
    assert found.since == world.now.replace(microsecond=0)


def test_what_a_bad_verdict_was_made_from_is_asked_anew(world):
    change(world)
    world.body["status"]["candidate"]["badVerdicts"] = 2

    assert asked(world).bad_verdicts == 2


def test_an_aborted_candidate_is_asked_about_no_more(world):
    _, new = change(world)
    world.annotate(abort=new)
    pass_time(world, seconds=1)

    assert asked(world) is None


def test_nothing_is_asked_while_all_is_left_as_it_is(world):
    change(world)
    world.edit(suspend=True)

    assert asked(world) is None


def test_without_queries_nothing_is_asked():
    world = served(analysis={})
    change(world)

    assert asked(world) is None


def test_queries_are_refused_where_nobody_can_answer_them(world):
    deployment = parse(world.body, False)

    require_prometheus(deployment, has_prometheus=True)
    with pytest.raises(InvalidSpec, match=r"analysis\.prometheus: .* may set prometheus\.url"):
        require_prometheus(deployment, has_prometheus=False)
