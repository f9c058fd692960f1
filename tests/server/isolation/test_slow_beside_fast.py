"""A model whose requests do not end keeps no other waiting: over both APIs, batched or not."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from google.protobuf import text_format
from tensorflow_serving.apis.predict_pb2 import PredictRequest

from server.conftest import Running, serve
from server.isolation import slow_models
from server.transports import NAMES

LONG = 60
PATH = "/monitoring/prometheus/metrics"
ONE_ROW = (
    "max_batch_size { value: 1 } num_batch_threads { value: 2 } max_enqueued_batches { value: 99 }"
)


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Starts servers of the models ``slow`` and ``fast``; at the end lets the slow one go on."""
    servers: list[Running] = []

    def start(**options: object) -> Running:
        for name in ("slow", "fast"):
            (tmp_path / name / "1").mkdir(parents=True, exist_ok=True)
        models = " ".join(
            f'config {{ name: "{name}" base_path: "{tmp_path / name}" model_platform: "test" }}'
            for name in ("slow", "fast")
        )
        platform = f"test={slow_models.__name__}:Models"
        servers.append(serve(models, servable_platforms=platform, **options))
        servers[-1].http.wait_until_ready()
        return servers[-1]

    yield start
    slow_models.may_end.release(1000)
    for server in servers:
        server.end()
    while slow_models.may_end.acquire(blocking=False):
        pass
    while slow_models.began.acquire(blocking=False):
        pass


def over_grpc(running: Running, model: str) -> grpc.Future:
    text = f'model_spec {{ name: "{model}" }} inputs {{ key: "x" value {{ {ROW} }} }}'
    request = text_format.Parse(text, PredictRequest())
    return running.grpc.prediction.Predict.future(request, timeout=LONG)


ROW = "dtype: DT_FLOAT tensor_shape { dim { size: 1 } } float_val: 3"


def over_rest(running: Running, model: str) -> "Future[int]":
    """The status, later."""
    threads = ThreadPoolExecutor(1)
    body = b'{"instances": [3.0]}'
    return threads.submit(lambda: running.http.post(f"/v1/models/{model}:predict", body).status)


def wait_for_in_flight(running: Running, count: int) -> None:
    """Until so many requests are at hand, over both APIs."""
    running.http.wait_for(PATH, lambda answer: in_flight(answer.text) == count)


def in_flight(page: str) -> float:
    name = ":modelfleet:serving:in_flight_requests{"
    return sum(float(line.split()[-1]) for line in page.splitlines() if line.startswith(name))


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="unbatched"),
        pytest.param({"enable_batching": True, "batching_parameters": ONE_ROW}, id="batched"),
    ],
)
@pytest.mark.parametrize("transport", NAMES)
def test_a_fast_model_answers_whatever_a_slow_one_has_at_hand(serving, transport, options):
    running = serving(grpc_max_threads=4, rest_api_num_threads=4, transport=transport, **options)
    # So that the batch threads know that there are others.
    assert over_grpc(running, "fast").result().outputs["y"].float_val == [3]
    slow = [over_grpc(running, "slow") for _ in range(12)]
    slow_over_rest = [over_rest(running, "slow") for _ in range(6)]
    assert slow_models.began.acquire(timeout=LONG)

    answers = [over_grpc(running, "fast").result() for _ in range(5)]
    statuses = [over_rest(running, "fast").result(LONG) for _ in range(5)]

    assert [list(answer.outputs["y"].float_val) for answer in answers] == [[3]] * 5
    assert statuses == [200] * 5
    assert not any(each.done() for each in [*slow, *slow_over_rest])
    slow_models.may_end.release(18)
    assert [list(each.result().outputs["y"].float_val) for each in slow] == [[3]] * 12
    assert [each.result(LONG) for each in slow_over_rest] == [200] * 6


def test_more_requests_of_a_model_than_its_limit_are_refused_at_once_and_no_others(serving):
    running = serving(max_in_flight_requests_per_model="slow=2")
    first = [over_grpc(running, "slow"), over_rest(running, "slow")]
    for _ in first:
        assert slow_models.began.acquire(timeout=LONG)

    refused = over_grpc(running, "slow").exception()
    refused_over_rest = over_rest(running, "slow").result(LONG)

    assert refused.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "--max_in_flight_requests_per_model" in refused.details()
    assert refused_over_rest == 429
    assert over_rest(running, "fast").result(LONG) == 200
    assert running.http.get("/v1/models/slow").status == 200
    page = running.http.get(PATH).text
    for api in ("GRPC", "REST"):
        assert f':modelfleet:serving:refused_request_count{{entrypoint="{api}"}} 1' in page
    slow_models.may_end.release(2)
    assert list(first[0].result().outputs["y"].float_val) == [3]
    assert first[1].result(LONG) == 200


def test_models_are_loaded_while_threads_hand_over_quickly(serving):
    slow_models.turns.clear()

    serving()

    assert slow_models.turns == [pytest.approx(0.0005)] * 2
