"""Revisions are named by what the user asked for, and found again by it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_operator.domain.revision import Revision, find, forgettable, name_for, user_input
from model_operator.domain.spec import parse
from simulated_world import model_deployment


def asked(**spec):
    return user_input(parse(model_deployment(**spec)))


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"model": {"version": 2}}, id="another version"),
        pytest.param({"model": {"uri": "pvc://models/other"}}, id="another place"),
        pytest.param({"model": {"name": "other"}}, id="another name for clients"),
        pytest.param({"serving": {"image": "x:1"}}, id="another image"),
        pytest.param({"serving": {"args": ["--v=1"]}}, id="a flag"),
        pytest.param({"serving": {"env": [{"name": "A", "value": "1"}]}}, id="a variable"),
        pytest.param({"serving": {"resources": {"limits": {"cpu": 1}}}}, id="a limit"),
    ],
)
def test_what_pods_notice_is_another_revision(spec):
    assert asked(**spec) != asked()


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"replicas": 5}, id="replicas"),
        pytest.param({"suspend": True}, id="suspend"),
        pytest.param({"serving": {}}, id="an empty part"),
        pytest.param({"serving": {"args": [], "env": [], "resources": {}}}, id="empty lists"),
        pytest.param({"model": {"name": "ranker"}}, id="a default written out"),
        pytest.param({"model": {"uri": "pvc://models/ranker/"}}, id="a slash at the end"),
    ],
)
def test_what_pods_do_not_notice_is_the_same_revision(spec):
    assert asked(**spec) == asked()


def test_the_name_of_a_revision_stays_the_same_in_every_release():
    assert name_for("ranker", asked(), []) == "ranker-d2fdac2b09"


def test_two_inputs_with_one_digest_get_two_names():
    first = name_for("ranker", asked(), [])

    second = name_for("ranker", asked(), [first])

    assert second != first


@given(name=st.from_regex(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", fullmatch=True))
def test_names_fit_into_labels_and_end_well(name):
    made = name_for(name, asked(), [])

    assert len(made) <= 63
    assert made.startswith(name[:40].rstrip("-"))
    assert made[-1].isalnum()


def test_two_deployments_with_the_same_long_beginning_get_different_names():
    long = "a" * 60

    assert name_for(long + "b", asked(), []) != name_for(long + "c", asked(), [])


def test_a_revision_is_found_by_its_input_and_by_nothing_else():
    known = Revision("ranker-1", 1, asked(), {})

    assert find([known], asked()) == known
    assert find([known], asked(model={"version": 2})) is None


def test_the_oldest_idle_revisions_are_forgotten_and_those_in_use_are_not():
    revisions = [Revision(f"r{number}", number, {}, {}) for number in range(1, 6)]

    forgotten = forgettable(revisions, frozenset({"r1"}), limit=2)

    assert [revision.name for revision in forgotten] == ["r3", "r2"]
