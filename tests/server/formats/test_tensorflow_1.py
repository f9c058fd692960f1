"""SavedModels in the form of TensorFlow 1 load with all that graphs of its time have."""

import numpy as np
import pytest

from model_server.core.errors import Code, ServingError
from server import saved_models
from server.formats import graph_models


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    return graph_models.several_metagraphs(tmp_path_factory.mktemp("several") / "1")


def ask(servable, value):
    """The one output of the default signature for its one input."""
    signature = servable.signatures["serving_default"]
    ((alias, spec),) = signature.inputs.items()
    fed = {alias: np.array(value, spec.dtype.numpy)}
    return servable.run(signature, fed, list(signature.outputs))[0].tolist()


@pytest.mark.parametrize(
    ("tags", "answer"),
    [(["serve"], [4.0]), (["serve", "double"], [8.0]), (["double", "serve"], [8.0])],
)
def test_tags_choose_among_metagraphs_that_share_variables(load, several, tags, answer):
    assert ask(load(several, *tags), [3.0]) == answer


def test_a_metagraph_without_signatures_loads(load, several):
    assert load(several, "train").signatures == {}


@pytest.mark.parametrize("tags", [["double"], ["serve", "train"], ["none"], [""]])
def test_tags_must_be_those_of_a_metagraph(load, several, tags):
    with pytest.raises(ServingError, match="MetaGraphDef associated with tags") as raised:
        load(several, *tags)

    assert raised.value.code is Code.NOT_FOUND


@pytest.mark.parametrize("main_op", [True, False], ids=["main op", "legacy init op"])
def test_a_table_is_filled_from_an_asset(load, tmp_path, main_op):
    servable = load(graph_models.lookup(tmp_path / "1", main_op=main_op))

    assert ask(servable, [b"c", b"a", b"z"]) == [2, 0, -1]


def test_a_variable_may_be_in_parts(load, tmp_path):
    assert ask(load(graph_models.partitioned(tmp_path / "1")), 1.0) == 7.0


def test_control_flow_of_its_time_runs(load, tmp_path):
    assert ask(load(graph_models.looping(tmp_path / "1")), 9) == 16


def test_a_saved_model_may_be_text(load, tmp_path):
    folder = saved_models.half_plus_two(tmp_path / "1")

    assert ask(load(graph_models.as_text(folder)), [[2.0], [4.0]]) == [[3.0], [4.0]]


def test_a_state_belongs_to_one_load(load, model_folders):
    first, second = load(model_folders / "counter" / "1"), load(model_folders / "counter" / "1")
    increase, read = first.signatures["incr_counter"], first.signatures["get_counter"]

    first.run(increase, {}, ["output"])
    first.run(increase, {}, ["output"])

    assert first.run(read, {}, ["output"])[0] == 2
    assert second.run(read, {}, ["output"])[0] == 0
