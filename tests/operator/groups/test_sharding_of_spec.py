"""What a spec says of sharding, read by the operator itself."""

import pytest

from model_operator.domain import names
from model_operator.domain.errors import InvalidSpec
from model_operator.domain.wish.revision import name_for, user_input
from model_operator.domain.wish.sharding import Recovery, Sharding
from model_operator.domain.wish.spec import parse
from simulated_world import model_deployment


def sharding_of(**spec):
    return parse(model_deployment(**spec)).sharding


@pytest.mark.parametrize(
    ("given", "found"),
    [
        pytest.param({"shards": 2}, Sharding(2), id="members come back alone by default"),
        pytest.param(
            {"shards": 4, "recovery": "WholeGroup"}, Sharding(4, Recovery.WHOLE_GROUP), id="all"
        ),
        pytest.param(None, None, id="a whole model"),
    ],
)
def test_the_groups_that_are_asked_for(given, found):
    assert sharding_of(sharding=given) == found


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        pytest.param({"sharding": []}, "spec.sharding", id="a list"),
        pytest.param({"sharding": {"shards": 1}}, "spec.sharding.shards", id="one"),
        pytest.param({"sharding": {"shards": True}}, "spec.sharding.shards", id="a truth"),
        pytest.param({"sharding": {"shards": 513}}, "spec.sharding.shards", id="too many"),
        pytest.param(
            {"sharding": {"shards": 2, "recovery": "x"}}, "spec.sharding.recovery", id="recovery"
        ),
        pytest.param(
            {"sharding": {"shards": 2}, "model": {"platform": "onnx"}}, "spec.sharding", id="onnx"
        ),
    ],
)
def test_what_cannot_be_is_refused_by_its_field(spec, field):
    with pytest.raises(InvalidSpec) as refused:
        sharding_of(**spec)

    assert refused.value.field == field


def test_a_whole_model_keeps_the_name_of_its_revision():
    asked = user_input(parse(model_deployment()))

    # As the golden files have it, from before there were groups.
    assert name_for("ranker", asked, ()) == "ranker-d2fdac2b09"


@pytest.mark.parametrize("deployment", ["r", "a" * 63])
def test_names_of_groups_fit_into_the_labels_of_their_pods(deployment):
    revision = names.revision_name(deployment, names.digest("x"))

    group = names.group_name(revision, 99_999)

    # A StatefulSet's controller adds a '-' and ten characters, and makes a label of it.
    assert len(group) <= 52
    assert len(names.members_name(revision)) <= 63
    assert revision.rpartition("-")[2] in group
