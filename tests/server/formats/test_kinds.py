"""Kinds of SavedModels that load beside those which the other tests ask."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from model_server.core.errors import Code, ServingError
from server.conftest import model_config
from server.formats import object_models


@pytest.fixture
def ask(started, tmp_path):
    """Serves version 1 of a base path, asks it once over REST, and returns the outputs."""

    def ask_it(inputs, signature="", **options):
        running = started(model_config(tmp_path / "m"), **options)
        running.http.wait_until_ready()
        asked = {"signature_name": signature, "inputs": inputs}
        return running.http.post("/v1/models/m:predict", asked).json["outputs"]

    return ask_it


@pytest.fixture
def folder(tmp_path):
    """Where version 1 is to be written."""
    (tmp_path / "m").mkdir()
    return tmp_path / "m" / "1"


def rewrite(folder, change):
    """Changes the MetaGraphDef of a SavedModel."""
    saved = SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    change(saved.meta_graphs[0])
    (folder / "saved_model.pb").write_bytes(saved.SerializeToString())


def pin_to_gpu(meta_graph):
    """Asks for a GPU for every node, in functions too."""
    for node in meta_graph.graph_def.node:
        node.device = "/device:GPU:0"
    for function in meta_graph.graph_def.library.function:
        for node in function.node_def:
            node.device = "/device:GPU:0"


def tag_for_gpu(meta_graph):
    """Two tags."""
    meta_graph.meta_info_def.tags.append("gpu")


def test_outputs_may_be_longer_than_the_inputs(ask, folder):
    object_models.ragged(folder)

    assert ask(["ab", "", "c"]) == {"letters": ["a", "b", "c"], "lengths": [2, 0, 1]}


def test_a_concrete_function_is_the_default_signature(ask, folder):
    object_models.product(folder)

    assert ask([2.0]) == [12.0]


@pytest.mark.parametrize(("signature", "y"), [("", 1.0), ("custom", 2.0)])
def test_a_function_need_not_use_its_input(ask, folder, signature, y):
    object_models.constants(folder)

    assert ask([2.0], signature) == y


def test_a_table_is_read_from_an_asset(ask, folder):
    object_models.lookup(folder)

    assert ask(["c", "b", "z"]) == [12, 11, 13]


def test_nodes_that_ask_for_a_gpu_run_on_the_cpu(ask, folder):
    object_models.vector(folder, 3)
    rewrite(folder, pin_to_gpu)

    assert ask([10.0]) == [10.0, 11.0, 12.0]


def test_several_tags_select_one_metagraph(ask, folder):
    object_models.vector(folder, 3)
    rewrite(folder, tag_for_gpu)

    assert ask([10.0], saved_model_tags="serve,gpu") == [10.0, 11.0, 12.0]


def test_an_exported_keras_model_is_asked_by_its_own_names(ask, folder):
    model = object_models.classifier()
    model.export(str(folder), verbose=False)
    words = [[0, 1, 2, 3, 4]]

    np.testing.assert_allclose(ask(words), model(tf.constant(words)).numpy(), rtol=1e-5)


def test_a_version_replaced_in_place_serves_as_it_was_loaded(started, folder, tmp_path):
    object_models.vector(folder, 3)
    running = started(model_config(tmp_path / "m"))
    running.http.wait_until_ready()

    object_models.vector(tmp_path / "new", 2)
    (tmp_path / "new" / "saved_model.pb").replace(folder / "saved_model.pb")
    (folder / "variables" / "variables.index").unlink()

    answer = running.http.post("/v1/models/m:predict", {"inputs": [10.0]})
    assert answer.json == {"outputs": [10.0, 11.0, 12.0]}


def test_signatures_of_a_load_share_its_state(load, folder):
    servable = load(object_models.counting(folder))
    add, read = servable.signatures["add"], servable.signatures["read"]

    sums = [servable.run(add, {"x": np.float32(x)}, ["sum"])[0].item() for x in (1, 2, 4)]

    assert sums == [1, 3, 7]
    assert servable.run(read, {}, ["sum"])[0].item() == 7
    assert load(folder).run(read, {}, ["sum"])[0].item() == 0


def test_a_checkpoint_may_have_several_shards(ask, folder):
    object_models.sharded(folder)

    assert ask(1.0) == 4.0


@pytest.mark.parametrize(("x", "y"), [(-3, -1), (0, 1), (5, 120)])
def test_functions_branches_and_loops_run(load, folder, x, y):
    servable = load(object_models.nested(folder))
    signature = servable.signatures["serving_default"]

    assert servable.run(signature, {"x": np.array(x, np.int32)}, ["y"])[0] == y


def test_a_saved_model_without_signatures_loads_and_says_so_when_asked(started, folder, tmp_path):
    object_models.without_signatures(folder)
    running = started(model_config(tmp_path / "m"))
    running.http.wait_until_ready()

    answer = running.http.post("/v1/models/m:predict", {"inputs": 1})

    assert answer.status == 400
    assert "serving_default" in answer.json["error"]


def test_an_error_that_quotes_bytes_of_the_request_is_told(load, model_folders):
    servable = load(model_folders / "two" / "1")
    signature = servable.signatures["regress_x_to_y"]

    with pytest.raises(ServingError, match=r"Could not parse example input, value: '\\xff'") as e:
        servable.run(signature, {"inputs": np.array([b"\xff"], object)}, ["outputs"])

    assert e.value.code is Code.INVALID_ARGUMENT
