"""Connections are served by as many threads as half the processors allow, and all of them end."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import grpc
import pytest
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse

from model_server.api import native_port
from server.conftest import model_config
from server.transports import NAMES

pytestmark = list(NAMES[-1].marks)
PREDICT = "/tensorflow.serving.PredictionService/Predict"
LOOPS = 3


def further_loops() -> set[str]:
    """The threads of this process that serve connections beside the first one of each server."""
    found = set()
    for task in Path("/proc/self/task").iterdir():
        # Others may end just now.
        with suppress(FileNotFoundError, ProcessLookupError):
            if task.joinpath("comm").read_text().startswith("native-io-"):
                found.add(task.name)
    return found


@pytest.fixture
def before() -> set[str]:
    """Those of other servers in this process."""
    return further_loops()


@pytest.fixture
def running(started, model_folders, monkeypatch):
    monkeypatch.setattr(native_port, "_LOOPS", LOOPS)
    running = started(model_config(model_folders / "two"), transport="native")
    running.http.wait_until_available("two", 2)
    return running


def ask(target: str, number: int) -> list[float]:
    """Answers to requests on a connection of its own."""
    own = [("grpc.use_local_subchannel_pool", 1)]
    request = PredictRequest()
    request.model_spec.name = "two"
    request.inputs["x"].dtype = 1
    request.inputs["x"].float_val.append(number)
    with grpc.insecure_channel(target, own) as channel:
        call = channel.unary_unary(PREDICT)
        answers = [call(request.SerializeToString(), timeout=180) for _ in range(50)]
    return [PredictResponse.FromString(each).outputs["y"].float_val[0] for each in answers]


def test_connections_of_all_loops_are_answered(running):
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda number: ask(running.grpc.target, number), range(12)))

    assert answers == [[number / 2 + 3] * 50 for number in range(12)]


def test_all_loops_end_with_the_server(before, running):
    ask(running.grpc.target, 1)
    own = further_loops() - before

    running.server.stop(grace=5)

    assert len(own) == LOOPS - 1
    assert not further_loops() & own
