"""While versions come and go, every request is answered, and rightly."""

import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from tensorflow_serving.apis.predict_pb2 import PredictRequest

from server.conftest import Running, model_config

# Odd versions add 2 to half of the input, even ones 3.
ANSWERS = {1: 2.5, 0: 3.5}


def ask_by_grpc(running: Running) -> bool:
    """Whether the answer is the one of the version that says it gave it."""
    request = PredictRequest(model_spec={"name": "busy"})
    request.inputs["x"].CopyFrom(ONE)
    answer = running.grpc.prediction.Predict(request, timeout=180)
    version = answer.model_spec.version.value
    return list(answer.outputs["y"].float_val) == [ANSWERS[version % 2]]


def ask_by_rest(running: Running) -> bool:
    """Whether the answer is one that some version gives."""
    answer = running.http.post("/v1/models/busy:predict", {"instances": [1.0]})
    return answer.status == 200 and answer.json["predictions"][0] in ANSWERS.values()


ONE = PredictRequest().inputs["x"]
ONE.dtype = 1
ONE.tensor_shape.dim.add().size = 1
ONE.float_val.append(1.0)


class Clients:
    """Threads that ask until they are told to end; ``outcomes`` holds what each request came to."""

    def __init__(self, running: Running, asks: list[Callable[[Running], bool]]) -> None:
        self.outcomes: list[object] = []
        self._running = running
        self._ending = threading.Event()
        self._threads = [threading.Thread(target=self._go_on, args=(ask,)) for ask in asks]

    def _go_on(self, ask: Callable[[Running], bool]) -> None:
        while not self._ending.is_set():
            try:
                self.outcomes.append(ask(self._running))
            except Exception as error:
                self.outcomes.append(error)

    def __enter__(self) -> "Clients":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join()


@pytest.fixture
def busy(started, model_folders, tmp_path):
    """A server of the model ``busy`` with version 1, and a way to add a version."""
    base = tmp_path / "busy"

    def add(version: int) -> None:
        source = model_folders / "two" / ("1" if version % 2 else "2")
        # Renamed into place, so that nobody sees half of it.
        shutil.copytree(source, tmp_path / "copied")
        (tmp_path / "copied").rename(base / str(version))

    base.mkdir()
    add(1)
    running = started(model_config(base, ""))
    running.http.wait_until_ready()
    return running, base, add


def until_available(running: Running, version: int) -> None:
    """Returns when this version can be asked."""
    path = f"/v1/models/busy/versions/{version}"
    running.http.wait_for(path, lambda answer: '"AVAILABLE"' in answer.text)


def remove(base: Path, version: int) -> None:
    shutil.rmtree(base / str(version))


def test_nothing_is_lost_and_no_answer_is_wrong_while_versions_come_and_go(busy):
    running, base, add = busy

    with Clients(running, [ask_by_grpc, ask_by_grpc, ask_by_rest, ask_by_rest]) as clients:
        add(2)
        until_available(running, 2)
        remove(base, 1)
        add(3)
        until_available(running, 3)
        # The newest version goes, so that the one before it is loaded again.
        remove(base, 3)
        until_available(running, 2)
        add(5)
        until_available(running, 5)

    assert set(clients.outcomes) == {True}
    assert len(clients.outcomes) > 50
