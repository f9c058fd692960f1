"""Asks a model all the time, over gRPC and REST, and says what came: the demo's callers.

    caller.py NAME [--seconds N]

runs inside the cluster, from the model server's image. Four callers, each with one connection
and up to twenty requests a second, ask for x = 0 to 9 in turn; no request that a server may have
seen is sent twice.
Ten times a second it prints a line of JSON: for each protocol the number of answers by version
and of failures by their code. It ends with its standard input, and after N seconds.
"""

import argparse
import http.client
import importlib.util
import itertools
import json
import sys
import threading
import time
import types
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

CALLERS = 2  # of each protocol
PAUSE = 0.05
PATIENCE = 10.0
Ask = Callable[[float], float]


class Failed(Exception):
    """No answer; the message is its code."""


@contextmanager
def grpc_caller(name: str) -> Iterator[Ask]:
    """Asks over one channel."""
    import grpc
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    # With retries as they are by default: calls that have just begun when a router says GOAWAY were
    # sent to nobody, and gRPC sends them by the next connection. Without, they fail in the client.
    with grpc.insecure_channel(f"{name}:8500") as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)

        def ask(x: float) -> float:
            request = predict_pb2.PredictRequest()
            request.model_spec.name = name
            request.inputs["x"].dtype = 1
            request.inputs["x"].tensor_shape.dim.add(size=1)
            request.inputs["x"].float_val.append(x)
            try:
                answer = stub.Predict(request, timeout=PATIENCE, wait_for_ready=False)
            except grpc.RpcError as error:
                raise Failed(error.code().name) from error
            # y = x / 2 + version
            return float(answer.outputs["y"].float_val[0]) - x / 2

        yield ask


def _spare_tensorflow() -> None:
    """Let the messages be imported without TensorFlow around them, which takes many seconds."""
    found = importlib.util.find_spec("tensorflow")
    assert found is not None
    bare = types.ModuleType("tensorflow")
    bare.__path__ = list(found.submodule_search_locations or ())
    sys.modules["tensorflow"] = bare


@contextmanager
def rest_caller(name: str) -> Iterator[Ask]:
    """Asks over one connection, which is opened anew when the server has ended it."""
    connection = http.client.HTTPConnection(name, 8501, timeout=PATIENCE)

    def ask(x: float) -> float:
        try:
            connection.request("POST", f"/v1/models/{name}:predict", json.dumps({"instances": [x]}))
            answer = connection.getresponse()
            said = answer.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise Failed(type(error).__name__) from error
        if answer.status != 200:
            raise Failed(str(answer.status))
        return float(json.loads(said)["predictions"][0]) - x / 2

    yield ask
    connection.close()


class Tally:
    """What came, by protocol and by version or code."""

    def __init__(self) -> None:
        self._came = {"gRPC": Counter[str](), "REST": Counter[str]()}
        self._lock = threading.Lock()

    def add(self, protocol: str, outcome: str) -> None:
        """One more."""
        with self._lock:
            self._came[protocol][outcome] += 1

    def text(self) -> str:
        """A line of JSON."""
        with self._lock:
            return json.dumps(self._came)


def call(name: str, protocol: str, tally: Tally, ends: threading.Event) -> None:
    """One caller, until the event."""
    caller = {"gRPC": grpc_caller, "REST": rest_caller}[protocol]
    with caller(name) as ask:
        for x in itertools.cycle(range(10)):
            try:
                tally.add(protocol, f"version {ask(float(x)):g}")
            except Failed as failure:
                tally.add(protocol, str(failure))
            if ends.wait(PAUSE):
                return


def main() -> None:
    """Call as the command line says."""
    parser = argparse.ArgumentParser(description="Ask a model all the time.")
    parser.add_argument("name")
    parser.add_argument("--seconds", type=float, default=600)
    options = parser.parse_args()
    _spare_tensorflow()
    last = time.monotonic() + options.seconds
    tally, ends = Tally(), threading.Event()

    def end_with_the_input() -> None:
        sys.stdin.read()
        ends.set()

    threading.Thread(target=end_with_the_input, daemon=True).start()
    with ThreadPoolExecutor(2 * CALLERS) as callers:
        calling = [
            callers.submit(call, options.name, protocol, tally, ends)
            for protocol in ("gRPC", "REST") * CALLERS
        ]
        while not ends.wait(0.1) and time.monotonic() < last:
            print(tally.text(), flush=True)
            if any(one.done() for one in calling):
                break
        ends.set()
    print(tally.text(), flush=True)
    for one in calling:
        one.result()


if __name__ == "__main__":
    main()
