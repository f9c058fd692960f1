"""How many requests a second a model of dense layers answers with and without batching.

Run ``python benchmarks/batching.py [SECONDS] [CLIENTS]``; the two servers are asked in turns, by
clients in a process of their own that wait for each answer and compare it. Prints both and their
ratio.
"""

import os
import sys
import tempfile
import threading
import time
from multiprocessing import get_context
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from model_server.core.servable import State
from model_server.options.flags import Options
from model_server.server import Server

_WIDTH = 1024
_LAYERS = 4
_ROUNDS = 3
_PORTS = {"unbatched": 18600, "batched": 18601}


class _Dense(tf.Module):
    def __init__(self) -> None:
        super().__init__()
        deviation = _WIDTH**-0.5
        self.layers = [
            tf.Variable(tf.random.normal([_WIDTH, _WIDTH], stddev=deviation, seed=number))
            for number in range(_LAYERS)
        ]

    @tf.function(input_signature=[tf.TensorSpec([None, _WIDTH], tf.float32, name="x")])
    def __call__(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        for weights in self.layers:
            x = tf.nn.relu(x @ weights)
        return {"y": x[:, :16]}


def main() -> None:
    """Asks both servers in several rounds, and prints the best of each."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 3.0
    clients = int(sys.argv[2]) if len(sys.argv) > 2 else 32
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(_Dense(), str(Path(folder, "dense", "1")))
        servers = [_serve(folder, name, clients) for name in _PORTS]
        best = dict.fromkeys(_PORTS, 0.0)
        for _ in range(_ROUNDS):
            for name, port in _PORTS.items():
                best[name] = max(best[name], _asked(port, seconds, clients))
        for server in servers:
            server.stop(grace=1)
    for name, rate in best.items():
        print(f"{name}: {rate:.0f} requests/s, {clients} clients")
    print(f"ratio: {best['batched'] / best['unbatched']:.2f}")


def _serve(folder: str, name: str, clients: int) -> Server:
    entry = f'config {{ name: "dense" base_path: "{folder}/dense" model_platform: "tensorflow" }}'
    config = text_format.Parse(f"model_config_list {{ {entry} }}", ModelServerConfig())
    options = Options(
        port=_PORTS[name], grpc_max_threads=2 * clients, enable_batching=name == "batched"
    )
    server = Server(options, config)
    server.start()
    server._manager.wait_until(["dense"], State.AVAILABLE)
    return server


def _asked(port: int, seconds: float, clients: int) -> float:
    """Answers in a second to clients of another process."""
    context = get_context("spawn")
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=_ask, args=(port, seconds, clients, sending))
    process.start()
    rate = float(receiving.recv())
    process.join()
    return rate


def _ask(port: int, seconds: float, clients: int, sending: object) -> None:
    import grpc

    stub = PredictionServiceStub(grpc.insecure_channel(f"127.0.0.1:{port}"))
    rows = np.random.default_rng(1).normal(size=[clients, 1, _WIDTH]).astype(np.float32)
    requests = [_request(row) for row in rows]
    expected = [tf.make_ndarray(stub.Predict(each).outputs["y"]) for each in requests]
    until = time.monotonic() + seconds
    counts = [0] * clients

    def ask(number: int) -> None:
        while time.monotonic() < until:
            answer = tf.make_ndarray(stub.Predict(requests[number]).outputs["y"])
            np.testing.assert_allclose(answer, expected[number], rtol=1e-3, atol=1e-4)
            counts[number] += 1

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(counts), "some client got no answer"
    sending.send(sum(counts) / seconds)


def _request(row: np.ndarray) -> PredictRequest:
    request = PredictRequest(model_spec={"name": "dense"})
    request.inputs["x"].CopyFrom(tf.make_tensor_proto(row))
    return request


if __name__ == "__main__":
    main()
