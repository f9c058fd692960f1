"""SavedModels with Batch, Unbatch and BatchFunction: concurrent requests get their own answers."""

import logging
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis.predict_pb2 import PredictRequest

from model_server.batching.scheduler import BatchScheduler
from model_server.core.errors import Code, ServingError
from model_server.core.servable import ServableId
from model_server.options.batching import Batching
from model_server.servables.batched import Batcher
from server.conftest import model_config
from server.in_graph import batching_models
from server.in_graph.conftest import call

DEFAULT = "serving_default"
# By luck those of one queue could come in the right order.
ROUNDS = 10


def test_functions_that_the_decorator_gave_one_name_do_not_share_batches(load, together, tmp_path):
    model = load(batching_models.two_functions(tmp_path / "1"))

    for _ in range(ROUNDS):
        answers = together(
            model,
            [(name, {"x": [x]}) for x in (1.0, 2.0) for name in ("doubled", "negated")],
        )

        assert [answer["y"].tolist() for answer in answers] == [[2], [-1], [4], [-2]]


def test_callers_of_one_function_with_other_variables_do_not_share_batches(
    load, together, tmp_path
):
    model = load(batching_models.one_function_two_variables(tmp_path / "1"))

    for _ in range(ROUNDS):
        answers = together(
            model, [(name, {"x": [x]}) for x in (1.0, 2.0) for name in ("two", "five")]
        )

        assert [answer["y"].tolist() for answer in answers] == [[2], [5], [4], [10]]


def test_a_batch_within_a_batch_ends(load, together, tmp_path):
    model = load(batching_models.nested(tmp_path / "1"))

    answers = together(model, [(DEFAULT, {"x": [x]}) for x in (1.0, 2.0)])

    assert [answer["y"].tolist() for answer in answers] == [[3], [5]]


def test_of_a_failed_batch_only_the_member_at_fault_is_refused(load, together, tmp_path):
    model = load(batching_models.numbers_of_words(tmp_path / "1"))

    first, wrong, last = together(
        model, [(DEFAULT, {"word": [word]}) for word in (b"1", b"wrong", b"3")]
    )

    assert first["number"].tolist() == [2]
    assert last["number"].tolist() == [4]
    assert wrong.code is Code.INVALID_ARGUMENT
    assert "could not correctly convert string: wrong" in wrong.message


def test_members_of_different_shapes_are_answered(load, together, tmp_path):
    model = load(batching_models.rows_of_any_width(tmp_path / "1"))

    two, three = together(model, [(DEFAULT, {"x": [row]}) for row in ([1, 2], [1, 2, 3])])

    assert two["total"].tolist() == [3]
    assert three["total"].tolist() == [6]


def test_a_request_without_rows_keeps_the_shapes_of_its_outputs(load, tmp_path):
    model = load(batching_models.rows_of_any_width(tmp_path / "1"))

    answer = call(model, (DEFAULT, {"x": np.zeros([0, 3])}))

    assert answer["doubled"].shape == (0, 3)


def test_turns_of_loops_of_different_lengths_share_batches(load, together, tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        model = load(batching_models.powers(tmp_path / "1"))

    answers = together(
        model, [(DEFAULT, {"x": [1.0], "times": times}) for times in (1, 3, 5, 20, 2)]
    )

    assert [answer["y"].tolist() for answer in answers] == [[2], [8], [32], [2**20], [4]]
    assert "batch_timeout_micros of BatchFunction" in caplog.text
    assert "is 0 and not 1000: waits in every turn of a loop" in caplog.text


PAIRS = [
    batching_models.pair_of_tensorflow_1,
    batching_models.pair_in_a_function,
]


@pytest.mark.parametrize("make", PAIRS)
def test_between_batch_and_unbatch_each_gets_its_own_rows(load, together, tmp_path, make):
    model = load(make(tmp_path / "1"))

    answers = together(model, [(DEFAULT, {"x": [x]}) for x in (1.0, 2.0)])

    assert [(each["y"].tolist(), each["z"].tolist()) for each in answers] == [
        ([4], [-1]),
        ([7], [-2]),
    ]


@pytest.mark.parametrize("make", [*PAIRS, batching_models.pair_with_a_factor])
def test_members_may_ask_for_different_outputs_of_a_pair(load, tmp_path, make):
    model = load(make(tmp_path / "1"))
    inputs = {"x": [1.0]}
    if "factor" in model.signatures[DEFAULT].inputs:
        inputs["factor"] = 4.0

    with ThreadPoolExecutor(2) as pool:
        under_way = [pool.submit(call, model, (DEFAULT, inputs), [name]) for name in ("y", "z")]
        found = [each.result(15) for each in under_way]

    assert [each.popitem()[1].tolist() for each in found] == [[4], [-1]]


def test_versions_of_a_model_at_the_same_time_have_batches_of_their_own(load, together, tmp_path):
    folder = batching_models.two_functions(tmp_path / "1")
    models = [load(folder, version) for version in (1, 2)]

    answers = [together(model, [("doubled", {"x": [1.0]})] * 2) for model in models]

    assert [[each["y"].tolist() for each in answer] for answer in answers] == [[[2]] * 2] * 2


def test_a_row_too_many_is_answered_beside_the_batch(load, tmp_path):
    model = load(batching_models.two_functions(tmp_path / "1"))

    assert call(model, ("doubled", {"x": [1, 2, 3]}))["y"].tolist() == [2, 4, 6]


def test_a_wrong_input_is_refused_as_by_a_model_that_does_not_batch(load, tmp_path):
    model = load(batching_models.rows_of_any_width(tmp_path / "1"))

    with pytest.raises(ServingError) as refused:
        call(model, (DEFAULT, {"x": 1.0}))

    assert refused.value.code is Code.INVALID_ARGUMENT


@pytest.mark.parametrize("has_own_rules", [False, True])
def test_requests_are_batched_in_the_graph_only_unless_the_version_says_more(
    load, tmp_path, has_own_rules
):
    folder = batching_models.two_functions(tmp_path / "1")
    if has_own_rules:
        (folder / "batching_params.pbtxt").write_text("max_batch_size { value: 2 }")
    model = load(folder)
    batcher = Batcher(Batching(), BatchScheduler(1, "threads", observer=None))

    batched = batcher(ServableId("m", 1), model, str(folder))

    assert (batched is model) is not has_own_rules


def test_more_requests_of_a_server_share_a_batch_than_run_at_a_time(started, tmp_path):
    folder = batching_models.numbers_of_words(tmp_path / "m" / "1")
    running = started(model_config(folder.parent), grpc_max_threads=1)
    running.http.wait_until_ready()
    asked = []
    for word in (b"1", b"2", b"3"):
        asked.append(PredictRequest(model_spec={"name": "m"}))
        asked[-1].inputs["word"].CopyFrom(tf.make_tensor_proto([word]))

    under_way = [running.grpc.prediction.Predict.future(each, 15) for each in asked]

    answers = [each.result().outputs["number"].float_val[0] for each in under_way]
    assert answers == [2, 3, 4]
