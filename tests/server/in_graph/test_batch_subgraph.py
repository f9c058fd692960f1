"""batch-subgraph: a part of a model batched across requests, with the same answers, or a reason."""

import re
import shutil

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from model_server.commands import run_command
from model_server.servables.batch_ops.bodies import CannotBatch
from model_server.servables.batch_ops.making import Queue
from model_server.servables.subgraph.parts import Between, Function
from model_server.servables.subgraph.rewriting import batch_subgraph
from model_server.servables.subgraph.samples import Sample
from server.formats import warm_ups
from server.in_graph import divided_models
from server.in_graph.conftest import call, call_together

DEFAULT = "serving_default"
BOTH = ["model-server", "tf.saved_model.load"]
# A batch waits until this many rows are there, so that requests which share none take long.
THREE = Queue(max_size=3, timeout_micros=20_000_000)


def samples(*inputs):
    return [Sample(DEFAULT, each) for each in inputs]


def batched(source, part, *inputs):
    """Writes the model beside its source, where a part of it runs batched."""
    return batch_subgraph(source, source.with_name("2"), part, Queue(), samples(*inputs))


MODELS = [
    pytest.param(
        divided_models.ranker,
        divided_models.ranker_samples,
        Function("dense"),
        id="a function by its name in Python",
    ),
    pytest.param(
        divided_models.ranker,
        divided_models.ranker_samples,
        Between(["features"], ["MatMul:product:0"], "dense"),
        id="between arguments and a tensor of a function",
    ),
    pytest.param(
        divided_models.recurrent,
        divided_models.recurrent_samples,
        Function("cell"),
        id="the cell of a loop",
    ),
    pytest.param(
        divided_models.tensorflow_1,
        divided_models.tensorflow_1_samples,
        Between(["twice:0"], ["out:0"]),
        id="between tensors of a graph with reference variables",
    ),
]


@pytest.mark.parametrize(("make", "inputs", "part"), MODELS)
def test_a_part_runs_batched_with_equal_answers_under_both_loaders(
    tmp_path, load, make, inputs, part
):
    source, target, asked = make(tmp_path / "1"), tmp_path / "2", inputs()

    done = batched(source, part, *asked)

    assert done.loaders == BOTH
    assert done.compared
    before, after = load(source), load(target)
    found = call_together(after, [(DEFAULT, each) for each in asked] * 4)
    module = tf.saved_model.load(str(target)).signatures[DEFAULT]
    for each, answer in zip(asked * 4, found, strict=True):
        expected = call(before, (DEFAULT, each))
        second = module(**{alias: tf.constant(value) for alias, value in each.items()})
        for alias, tensor in expected.items():
            if tensor.dtype == object:
                assert answer[alias] == tensor == second[alias].numpy()
            else:
                np.testing.assert_allclose(answer[alias], tensor, rtol=1e-4, atol=1e-5)
                np.testing.assert_allclose(second[alias], tensor, rtol=1e-4, atol=1e-5)


def test_the_cell_of_a_keras_lstm_is_cut_out_of_its_loop(tmp_path):
    source = divided_models.keras_lstm(tmp_path / "1")
    saved = SavedModel.FromString((source / "saved_model.pb").read_bytes())
    library = saved.meta_graphs[0].graph_def.library
    (body,) = (each for each in library.function if "while_body" in each.signature.name)
    states = [each.name for each in body.signature.input_arg if "placeholder_" in each.name][1:]
    nodes = [each.name for each in body.node_def]
    (item,) = (each for each in nodes if each.endswith("/TensorListGetItem"))
    cell = [each for each in nodes if re.search(r"/lstm_cell\w*/(mul_2|add_1)$", each)]
    steps = [{"x": each["x"][np.newaxis]} for each in divided_models.recurrent_samples()]

    inputs, outputs = [f"{item}:item:0", *states], [f"{each}:z:0" for each in cell]
    done = batched(source, Between(inputs, outputs, body.signature.name), *steps)

    assert done.loaders == BOTH
    # Each turn of each loop.
    assert done.compared >= 3 + 1 + 6


def test_requests_share_batches_of_the_part(tmp_path, load):
    source = divided_models.ranker(tmp_path / "1")
    asked = divided_models.ranker_samples()
    quick = tmp_path / "2"
    batch_subgraph(source, quick, Function("dense"), Queue(max_size=3), samples(*asked))
    target = tmp_path / "3"
    _with_queue(quick, target, THREE)

    answers = call_together(load(target), [(DEFAULT, each) for each in asked])

    before = load(source)
    for each, answer in zip(asked, answers, strict=True):
        assert answer["label"] == call(before, (DEFAULT, each))["label"]


def _with_queue(source, target, queue):
    """A copy of a model whose batches wait."""
    shutil.copytree(source, target)
    saved = SavedModel.FromString((source / "saved_model.pb").read_bytes())
    for function in saved.meta_graphs[0].graph_def.library.function:
        for node in function.node_def:
            if node.op == "BatchFunction":
                queue.write_to(node)
    (target / "saved_model.pb").write_bytes(saved.SerializeToString())


@pytest.mark.parametrize(
    ("mix", "op"),
    [
        pytest.param(lambda x: tf.nn.softmax(x, 0), "Softmax", id="softmax over rows"),
        pytest.param(lambda x: x - tf.reduce_mean(x, 0), "Mean", id="mean of rows"),
        pytest.param(
            lambda x: x / tf.cast(tf.shape(x)[0], tf.float32), "RealDiv", id="by the number of rows"
        ),
        pytest.param(lambda x: tf.cumsum(x, 0), "Cumsum", id="sums of the rows before"),
        pytest.param(
            lambda x: x + tf.random.normal(tf.shape(x), seed=1), "AddV2", id="random numbers"
        ),
        pytest.param(lambda x: tf.reverse(x, [0]), "ReverseV2", id="rows in another order"),
        pytest.param(lambda x: tf.reduce_max(x), "Max", id="one number of all"),
    ],
)
def test_rows_that_are_not_independent_are_refused_by_the_name_of_the_operation(tmp_path, mix, op):
    source = divided_models.mixing(tmp_path / "1", mix)

    with pytest.raises(CannotBatch, match=rf"^{op} \S+: rows are not independent"):
        batched(source, Function("part"), *divided_models.mixing_samples())

    assert sorted(each.name for each in tmp_path.iterdir()) == ["1"]


@pytest.mark.parametrize(
    "mix",
    [
        pytest.param(lambda x: tf.transpose(tf.transpose(x) * 2.0), id="transposed and back"),
        pytest.param(lambda x: tf.reshape(x, [tf.shape(x)[0], 2]), id="shaped by its rows"),
        pytest.param(lambda x: tf.map_fn(tf.math.cumsum, x), id="a loop over the rows"),
    ],
)
def test_rows_that_are_independent_in_the_end_are_not(tmp_path, mix):
    source = divided_models.mixing(tmp_path / "1", mix)

    assert batched(source, Function("part"), *divided_models.mixing_samples()).compared


TF1 = (divided_models.tensorflow_1, divided_models.tensorflow_1_samples)
RANKER = (divided_models.ranker, divided_models.ranker_samples)


@pytest.mark.parametrize(
    ("model", "part", "said"),
    [
        pytest.param(
            RANKER, Function("dens"), "nothing calls a function dens in the model", id="function"
        ),
        pytest.param(
            RANKER,
            Between(["x"], ["y"], "nowhere"),
            "there is no function nowhere in the model",
            id="place",
        ),
        pytest.param(
            TF1,
            Between(["twice:0"], ["nothing:0"]),
            "there is no tensor nothing:0 in the graph: no node nothing",
            id="tensor",
        ),
        pytest.param(
            TF1,
            Between(["twice:1"], ["out:0"]),
            "there is no tensor twice:1 in the graph; there are: twice:0",
            id="number of a tensor",
        ),
        pytest.param(
            TF1,
            Between(["out:0"], ["scaled:0"]),
            "factor:0, which a request brings, reaches the subgraph and is not among the inputs",
            id="not all inputs",
        ),
        pytest.param(
            TF1,
            Between(["twice:0", "factor:0"], ["out:0"]),
            "input factor:0 reaches none of the outputs",
            id="an input without a part",
        ),
        pytest.param(
            TF1,
            Between(["twice:0"], ["Const:0"]),
            "output Const:0 depends on none of the inputs|input twice:0 reaches none",
            id="an output without a part",
        ),
        pytest.param(
            TF1,
            Between(["x:0"], ["out:0"]),
            "the tensors are no cut: what is returned also reads twice:0, inside the subgraph",
            id="no cut",
        ),
        pytest.param(
            TF1,
            Between(["x:0", "out:0"], ["twice:0", "scaled:0"]),
            "which a request brings|the tensors are no cut",
            id="in a circle",
        ),
        pytest.param(
            TF1,
            Between(["out:0", "factor:0"], ["scaled:0"]),
            "input batched_argument_1 of the subgraph is a scalar and has no rows",
            id="a scalar",
        ),
        pytest.param(
            TF1,
            Between(["scaled:0"], ["scaled:0"]),
            "scaled:0 is an input and an output",
            id="nothing between",
        ),
    ],
)
def test_what_cannot_be_batched_is_told_and_nothing_is_written(tmp_path, model, part, said):
    make, inputs = model

    with pytest.raises(CannotBatch, match=said):
        batched(make(tmp_path / "1"), part, *inputs())

    assert sorted(each.name for each in tmp_path.iterdir()) == ["1"]


def test_without_different_rows_nothing_is_proven(tmp_path):
    source = divided_models.mixing(tmp_path / "1", tf.identity)

    with pytest.raises(CannotBatch, match=r"never run .*part.* with two different rows"):
        batched(source, Function("part"), {"x": np.ones([1, 2])})


def test_the_command_tries_with_recorded_requests(tmp_path, capsys):
    source, target = divided_models.ranker(tmp_path / "1"), tmp_path / "2"
    records = [warm_ups.predict(**each) for each in divided_models.ranker_samples()]
    warm_ups.write(source, *records)
    arguments = [str(source), str(target), "--function", "dense", "--max-batch-size", "32"]

    assert run_command("batch-subgraph", arguments) == 0
    assert run_command("batch-subgraph", arguments) == 1

    said = capsys.readouterr()
    assert (
        "tried with 3 requests: equal answers by model-server and tf.saved_model.load" in said.out
    )
    assert said.err == f"model-server batch-subgraph: {target} is there already\n"
    assert (target / "assets.extra" / "tf_serving_warmup_requests").exists()
    assert not (target / "fingerprint.pb").exists()


@pytest.mark.parametrize("arguments", [[], ["--function=a", "--inputs=b"]])
def test_the_command_wants_one_way_to_name_the_part(capsys, arguments):
    with pytest.raises(SystemExit):
        run_command("batch-subgraph", ["a", "b", *arguments])

    assert "give --function, or --inputs and --outputs" in capsys.readouterr().err
