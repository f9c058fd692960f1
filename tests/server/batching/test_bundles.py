"""Requests over the native transport that wait for a batch together: each has its own answer."""

import re
import threading
import time
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path

import grpc
import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_serving.apis.model_management_pb2 import ReloadConfigRequest
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse

from model_server.api.direct_bundle import DirectTaken
from model_server.options.cpus import CPUS
from model_server.servables import tensors
from server.clients import HttpAnswer
from server.conftest import model_config
from server.transports import NAMES

pytestmark = list(NAMES[-1].marks)
PREDICT = "/tensorflow.serving.PredictionService/Predict"
METRICS = "/monitoring/prometheus/metrics"
FOLDER = ":tensorflow:serving:batching_session:"


def quotients(folder: Path, dividend: int = 60) -> Path:
    """TF2: y = dividend / x, which fails for 0, after so many rounds of work as ``rounds`` says.

    ``positive`` has as many rows as there are positive ones, ``sum`` none at all.
    """

    class Quotients(tf.Module):
        @tf.function(
            input_signature=[
                tf.TensorSpec([None, None], tf.int32, name="x"),
                tf.TensorSpec([None], tf.int64, name="rounds"),
            ]
        )
        def serve(self, x: tf.Tensor, rounds: tf.Tensor) -> dict[str, tf.Tensor]:
            work, most = tf.zeros([64, 64]), tf.reduce_max(rounds)
            for _ in tf.range(most):
                work = tf.linalg.matmul(work, work)
            with tf.control_dependencies([work]):
                return {"y": tf.cast(dividend, tf.int32) // x}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
        def positive(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"y": tf.boolean_mask(x, x > 0)}

    module = Quotients()
    signatures = {"serving_default": module.serve, "positive": module.positive}
    tf.saved_model.save(module, str(folder), signatures=signatures)
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The base path of a model of two versions, whose dividends are 60 and 120."""
    base = tmp_path_factory.mktemp("bundles") / "quotients"
    quotients(base / "1")
    quotients(base / "2", 120)
    return base


@pytest.fixture
def batched(started, model):
    """A server that batches by a file's rules."""

    def start(parameters: str = "", **more):
        running = started(
            model_config(model),
            transport="native",
            enable_batching=True,
            batching_parameters=parameters,
            **more,
        )
        running.http.wait_until_available("quotients", 1, 2)
        return running

    return start


def request(x, rounds: int = 0, version: int = 1, signature: str = "") -> PredictRequest:
    asked = PredictRequest()
    asked.model_spec.name = "quotients"
    asked.model_spec.version.value = version
    asked.model_spec.signature_name = signature
    x = np.asarray(x)
    tensors.encode(x, asked.inputs["x"])
    if not signature:
        tensors.encode(np.full(len(x), rounds, np.int64), asked.inputs["rounds"])
    return asked


def ask(running, asked: PredictRequest) -> grpc.Future:
    call = running.grpc.channel.unary_unary(PREDICT)
    return call.future(asked.SerializeToString(), timeout=180)


def answered(future: grpc.Future) -> np.ndarray:
    return tensors.decode(PredictResponse.FromString(future.result()).outputs["y"])


def post(running, body: str) -> HttpAnswer:
    return running.http.post("/v1/models/quotients/versions/1:predict", f"{{{body}}}")


def rows(*values: int) -> str:
    """A body by rows."""
    each = ", ".join(f'{{"x": [{value}], "rounds": 0}}' for value in values)
    return f'"instances": [{each}]'


def columns(*values: int) -> str:
    """A body by columns."""
    return f'"inputs": {{"x": {[[value] for value in values]}, "rounds": {[0] * len(values)}}}'


def metric(running, name: str) -> int:
    found = re.findall(re.escape(name) + r"(?:{[^}]*})? ([\d.e+]+)", running.http.get(METRICS).text)
    return int(sum(map(float, found)))


def column(*values: int) -> np.ndarray:
    return np.array([[value] for value in values], np.int32)


class Busy:
    """The threads that run batches are busy for a while, and what comes meanwhile waits."""

    def __init__(self, running, threads: int = 1) -> None:
        runs = f"{FOLDER}wrapped_run_count"
        before = metric(running, runs)
        self._long = []
        until = time.monotonic() + 180
        for number in range(1, threads + 1):
            # Rows of another length cannot be of one batch with what comes.
            self._long.append(ask(running, request(np.ones((1, 5), np.int32), 250_000)))
            while metric(running, runs) < before + number:
                assert time.monotonic() < until
        self._running = running

    def gather(self, *asked: PredictRequest) -> list[grpc.Future]:
        """Sends these while nothing can run, and waits until they are there."""
        futures = [ask(self._running, each) for each in asked]
        self._until_at_hand("GRPC", len(futures) + len(self._long))
        return futures

    def gather_posts(self, pool: Executor, *bodies: str) -> list[Future[HttpAnswer]]:
        """The same over REST."""
        futures = [pool.submit(post, self._running, body) for body in bodies]
        self._until_at_hand("REST", len(futures))
        return futures

    def _until_at_hand(self, entrypoint: str, number: int) -> None:
        at_hand = f':modelfleet:serving:in_flight_requests{{entrypoint="{entrypoint}"}} {number}\n'
        self._running.http.wait_for(METRICS, lambda answer: at_hand in answer.text)
        assert not any(each.done() for each in self._long)


def known(running, versions: tuple[int, ...] = (1, 2)) -> None:
    """Lets the server see what kinds of requests come."""
    for version in versions:
        for signature in ("", "positive"):
            x = np.ones(1, np.float32) if signature else column(1)
            answered(ask(running, request(x, version=version, signature=signature)))
    assert post(running, rows(1)).status == 200
    assert post(running, '"instances": [1], "signature_name": "positive"').status == 200


ONE = "num_batch_threads { value: 1 }"


def test_what_waits_is_one_run_and_each_has_its_own_rows(batched):
    running = batched(ONE)
    known(running)
    busy = Busy(running)
    runs, rows = (
        metric(running, FOLDER + name) for name in ("wrapped_run_count", "input_batch_size_sum")
    )

    futures = busy.gather(request(column(1, 2)), request(column(3)), request(column(4, 5, 6)))

    assert [answered(each).ravel().tolist() for each in futures] == [[60, 30], [20], [15, 12, 10]]
    assert metric(running, f"{FOLDER}wrapped_run_count") == runs + 1
    assert metric(running, f"{FOLDER}input_batch_size_sum") == rows + 6
    assert metric(running, ":modelfleet:serving:direct_request_count") >= 3


@pytest.mark.skipif(CPUS == 1, reason="there is one processor to have parts of")
def test_where_each_run_has_one_processor_what_waits_is_run_in_parts(batched):
    running = batched("num_batch_threads { value: 2 }", tensorflow_intra_op_parallelism=1)
    # Another one that was asked lately would have a thread kept for it.
    known(running, versions=(1,))
    busy = Busy(running, threads=2)
    runs = metric(running, f"{FOLDER}wrapped_run_count")

    futures = busy.gather(*(request(column(number)) for number in (1, 2, 3, 4)))

    assert [answered(each).tolist() for each in futures] == [[[60]], [[30]], [[20]], [[15]]]
    assert runs + 2 <= metric(running, f"{FOLDER}wrapped_run_count") <= runs + 4


def test_a_batch_knows_how_many_waited_when_it_was_answered(batched, monkeypatch):
    running = batched(f"{ONE} max_batch_size {{ value: 2 }}")
    known(running)
    busy = Busy(running)
    runs: list[tuple[int, int]] = []
    run = DirectTaken.run

    def spied(taken: DirectTaken, size: int):
        alone = run(taken, size)
        runs.append((size, taken.waiting))
        return alone

    monkeypatch.setattr(DirectTaken, "run", spied)
    for each in busy.gather(*(request(column(number)) for number in (1, 2, 3))):
        answered(each)
    answered(ask(running, request(column(4))))

    # One found no place beside the first two; the long one began before anybody looked.
    assert runs == [(2, 1), (1, 0), (1, 0)]


def test_a_batch_is_filled_up_to_an_allowed_size(batched):
    running = batched(f"{ONE} max_batch_size {{ value: 8 }} allowed_batch_sizes: [4, 8]")
    known(running)
    padding = metric(running, f"{FOLDER}padding_size_sum")

    assert answered(ask(running, request(column(2, 3, 4, 5, 6)))).ravel().tolist() == [
        *(30, 20, 15, 12, 10)
    ]
    assert metric(running, f"{FOLDER}padding_size_sum") == padding + 3


def test_of_requests_that_run_together_one_that_fails_fails_alone(batched):
    running = batched(ONE)
    known(running)

    good, bad, also_good = Busy(running).gather(
        request(column(1)), request(column(0)), request(column(2))
    )

    assert answered(good).tolist() == [[60]]
    assert answered(also_good).tolist() == [[30]]
    assert bad.exception().code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "division by zero" in bad.exception().details().lower()


def test_calls_of_grpc_and_requests_of_rest_are_of_one_batch(batched):
    running = batched(ONE)
    known(running)
    busy = Busy(running)
    runs, all_rows = (
        metric(running, FOLDER + name) for name in ("wrapped_run_count", "input_batch_size_sum")
    )

    with ThreadPoolExecutor() as pool:
        calls = busy.gather(request(column(1, 2)), request(column(3)))
        posts = busy.gather_posts(pool, rows(4, 5), columns(6, 10))
        answers = [each.result().json for each in posts]

    assert [answered(each).ravel().tolist() for each in calls] == [[60, 30], [20]]
    assert answers == [{"predictions": [[15], [12]]}, {"outputs": [[10], [6]]}]
    assert metric(running, f"{FOLDER}wrapped_run_count") == runs + 1
    assert metric(running, f"{FOLDER}input_batch_size_sum") == all_rows + 7


def test_a_body_that_takes_long_to_read_is_read_by_python(batched):
    running = batched("max_batch_size { value: 20000 }")
    known(running)
    direct = ":modelfleet:serving:direct_request_count"
    short, long = ([1 + number % 60 for number in range(count)] for count in (1_000, 10_000))

    before = metric(running, direct)
    answers = [post(running, columns(*values)).json for values in (short, long)]

    assert answers == [{"outputs": [[60 // value] for value in values]} for values in (short, long)]
    assert metric(running, direct) == before + 1


def test_of_requests_of_rest_that_run_together_one_that_fails_fails_alone(batched):
    running = batched(ONE)
    known(running)
    failed = ':tensorflow:serving:request_count{model_name="quotients",status="INVALID_ARGUMENT"}'

    with ThreadPoolExecutor() as pool:
        good, bad = (
            each.result() for each in Busy(running).gather_posts(pool, rows(1, 2), rows(3, 0))
        )

    assert good.json == {"predictions": [[60], [30]]}
    assert bad.status == 400
    assert "division by zero" in bad.json["error"].lower()
    assert metric(running, failed) == 1


def test_a_request_of_rest_whose_outputs_are_no_rows_is_answered_alone(batched):
    running = batched(ONE)
    known(running)

    with ThreadPoolExecutor() as pool:
        posts = Busy(running).gather_posts(
            pool,
            *(f'"signature_name": "positive", "instances": {x}' for x in ([1, -1], [2, 3])),
        )
        answers = [each.result().json for each in posts]

    assert answers == [{"predictions": [1.0]}, {"predictions": [2.0, 3.0]}]


def test_a_model_whose_outputs_are_no_rows_answers_each_alone(batched):
    running = batched(ONE)
    known(running)

    futures = Busy(running).gather(
        *(request(np.array(x, np.float32), signature="positive") for x in ([1, -1], [2, 3]))
    )

    assert [answered(each).tolist() for each in futures] == [[1], [2, 3]]
    assert answered(
        ask(running, request(np.array([4, -4], np.float32), signature="positive"))
    ).tolist() == [4]


def test_one_whose_client_is_gone_is_in_no_batch(batched):
    running = batched(ONE)
    known(running)
    rows = metric(running, f"{FOLDER}input_batch_size_sum")

    gone, stays = Busy(running).gather(request(column(1, 2, 3)), request(column(4)))
    gone.cancel()
    time.sleep(0.4)

    assert answered(stays).tolist() == [[15]]
    # With the one that kept the thread busy.
    assert metric(running, f"{FOLDER}input_batch_size_sum") == rows + 1 + 1


def test_beyond_the_batches_that_may_wait_requests_are_refused(batched):
    running = batched(f"{ONE} max_batch_size {{ value: 2 }} max_enqueued_batches {{ value: 1 }}")
    known(running)
    busy = Busy(running)
    [waits] = busy.gather(request(column(1, 2)))

    refused = ask(running, request(column(3, 4)))

    assert refused.exception().code() is grpc.StatusCode.UNAVAILABLE
    assert "max_enqueued_batches is 1" in refused.exception().details()
    assert answered(waits).ravel().tolist() == [60, 30]


def test_more_rows_than_a_batch_may_have_are_refused(batched):
    running = batched("max_batch_size { value: 2 }")
    known(running)

    refused = ask(running, request(column(1, 2, 3)))

    assert refused.exception().code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "larger than maximum input batch size 2" in refused.exception().details()


def test_nothing_is_lost_or_wrong_while_versions_come_and_go(batched, model):
    running = batched()
    known(running)
    ends = threading.Event()

    def call(number: int) -> int:
        values, count = range(1, number + 2), 0
        asked, expected = request(column(*values)), [[60 // x] for x in values]
        while not ends.is_set():
            assert answered(ask(running, asked)).tolist() == expected
            assert post(running, rows(*values)).json == {"predictions": expected}
            count += 1
        return count

    with ThreadPoolExecutor() as pool:
        calls = [pool.submit(call, number) for number in range(4)]
        try:
            for policy in ("specific { versions: 1 }", "all {}") * 4:
                reload(running, model_config(model, f"model_version_policy {{ {policy} }}"))
                time.sleep(0.1)
        finally:
            ends.set()
        assert all(each.result() > 0 for each in calls)


def test_requests_without_a_row_are_answered_whatever_else_waits(batched):
    running = batched(ONE)
    known(running)
    empty = np.zeros((0, 1), np.int32)

    futures = Busy(running).gather(request(empty), request(column(1)), request(empty))

    assert [answered(each).shape for each in futures] == [(0, 1), (1, 1), (0, 1)]


def test_a_version_that_went_away_is_not_found(batched, model):
    running = batched()
    known(running)

    reload(running, model_config(model, "model_version_policy { specific { versions: 1 } }"))
    running.http.wait_for("/v1/models/quotients", lambda answer: '"END"' in answer.text)

    assert ask(running, request(column(1), version=2)).exception().code() is (
        grpc.StatusCode.NOT_FOUND
    )
    assert answered(ask(running, request(column(1)))).tolist() == [[60]]


def reload(running, model: str) -> None:
    text = f"config {{ model_config_list {{ {model} }} }}"
    running.grpc.model.HandleReloadConfigRequest(text_format.Parse(text, ReloadConfigRequest()))
