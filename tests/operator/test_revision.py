"""Revisions are named by what the user asked for, and found again by it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_operator.domain.wish.revision import Revision, find, forgettable, name_for, user_input
from model_operator.domain.wish.spec import parse
from simulated_world import World, model_deployment


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
        pytest.param({"model": {"platform": "onnx"}}, id="another platform"),
        pytest.param({"serving": {"batching": {}}}, id="batches"),
    ],
)
def test_what_pods_notice_is_another_revision(spec):
    assert asked(**spec) != asked()


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"replicas": 5}, id="replicas"),
        pytest.param({"suspend": True}, id="suspend"),
        pytest.param({"rollout": {"steps": [{"weight": 10}], "paused": True}}, id="rollout"),
        pytest.param({"serving": {}}, id="an empty part"),
        pytest.param({"serving": {"args": [], "env": [], "resources": {}}}, id="empty lists"),
        pytest.param({"model": {"name": "ranker"}}, id="a default written out"),
        pytest.param({"model": {"uri": "pvc://models/ranker/"}}, id="a slash at the end"),
    ],
)
def test_what_pods_do_not_notice_is_the_same_revision(spec):
    assert asked(**spec) == asked()


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        pytest.param({}, {"allowedBatchSizes": []}, True, id="an empty list"),
        pytest.param({}, {"maxBatchSize": 4}, False, id="a size"),
        pytest.param({"numBatchThreads": 1}, {"numBatchThreads": 2}, False, id="threads"),
    ],
)
def test_each_parameter_of_batches_is_part_of_the_revision(one, other, same):
    asked_for = [asked(serving={"batching": batching}) for batching in (one, other)]

    assert (asked_for[0] == asked_for[1]) == same


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


NAMES = st.from_regex(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", fullmatch=True)
SPECS = st.fixed_dictionaries(
    {
        "model": st.fixed_dictionaries(
            {"version": st.integers(0, 3), "uri": st.sampled_from(["pvc://a/b", "pvc://a/c"])}
        ),
        "serving": st.fixed_dictionaries(
            {},
            optional={
                "image": st.sampled_from(["x:1", "x:2"]),
                "args": st.lists(st.sampled_from(["--a", "--b"]), max_size=2),
            },
        ),
    }
)


@given(name=NAMES, first=SPECS, second=SPECS)
def test_the_same_input_has_one_name_and_another_input_another(name, first, second):
    names = [name_for(name, asked(**spec), []) for spec in (first, second, first)]

    assert names[0] == names[2]
    assert (names[0] == names[1]) == (asked(**first) == asked(**second))


@given(name=NAMES, spec=SPECS, collisions=st.integers(0, 5))
def test_however_often_digests_collide_names_stay_apart_and_short(name, spec, collisions):
    taken: list[str] = []
    for _ in range(collisions):
        taken.append(name_for(name, asked(**spec), taken))

    made = name_for(name, asked(**spec), taken)

    assert len({made, *taken}) == collisions + 1
    assert all(len(item) <= 63 and item[-1].isalnum() for item in (made, *taken))


@given(
    versions=st.lists(st.integers(1, 4), min_size=1, max_size=8),
    limit=st.integers(0, 3),
)
@settings(deadline=None, max_examples=40)
def test_going_back_finds_the_same_revision_even_if_its_history_was_forgotten(versions, limit):
    world = World()
    world.edit(rollout={"historyLimit": limit})
    found: dict[int, set[str]] = {}
    for version in versions:
        world.edit(model={"version": version})
        world.settle()
        for name in world.deployments():
            world.make_ready(name, 1)
        world.settle()
        found.setdefault(version, set()).add(world.stable())

    assert {len(names) for names in found.values()} == {1}


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
