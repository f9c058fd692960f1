"""How many requests a second a model of dense layers answers with and without batching.

Run ``python benchmarks/batching.py [SECONDS] [CLIENTS]``; the two servers are asked in turns, by
clients in a process of their own that each wait for an answer before they ask again and compare
the last one. Prints requests a second and processor time of the server for each, and the ratios.
"""

import os
import sys
import tempfile
import threading
import time
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from model_server.core.servable import State
from model_server.options.flags import Options
from model_server.server import Server

# 10.5 million weights.
_WIDTHS = (1024, 2048, 2048, 2048, 10)
_ROUNDS = 2
_PORTS = {"unbatched": 18600, "batched": 18601}


class _Dense(tf.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = [
            tf.Variable(tf.random.normal([inputs, outputs], stddev=inputs**-0.5))
            for inputs, outputs in pairwise(_WIDTHS)
        ]

    @tf.function(input_signature=[tf.TensorSpec([None, _WIDTHS[0]], tf.float32, name="x")])
    def __call__(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        for weights in self.layers:
            x = tf.nn.elu(x @ weights)
        return {"y": x}


def main() -> None:
    """Asks both servers in several rounds, and prints the best of each."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 3.0
    clients = int(sys.argv[2]) if len(sys.argv) > 2 else 32
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(_Dense(), str(Path(folder, "dense", "1")))
        servers = [_serve(folder, name, clients) for name in _PORTS]
        rates = dict.fromkeys(_PORTS, 0.0)
        costs = dict.fromkeys(_PORTS, float("inf"))
        for _ in range(_ROUNDS):
            for name, port in _PORTS.items():
                began = time.process_time()
                rate = _asked(port, seconds, clients)
                took = time.process_time() - began
                rates[name] = max(rates[name], rate)
                costs[name] = min(costs[name], took / (rate * seconds))
        mean = _mean_batch(servers[1])
        for server in servers:
            server.stop(grace=1)
    for name in _PORTS:
        print(f"{name}: {rates[name]:.0f} requests/s, {costs[name] * 1e6:.0f} us of CPU each")
    print(f"mean batch: {mean:.1f} rows")
    print(f"ratio of requests: {rates['batched'] / rates['unbatched']:.2f}")
    print(f"ratio of CPU: {costs['unbatched'] / costs['batched']:.2f}")


def _serve(folder: str, name: str, clients: int) -> Server:
    entry = f'config {{ name: "dense" base_path: "{folder}/dense" model_platform: "tensorflow" }}'
    config = text_format.Parse(f"model_config_list {{ {entry} }}", ModelServerConfig())
    options = Options(
        port=_PORTS[name], grpc_max_threads=2 * clients + 1, enable_batching=name == "batched"
    )
    server = Server(options, config)
    server.start()
    server._manager.wait_until(["dense"], State.AVAILABLE)
    return server


def _mean_batch(server: Server) -> float:
    found = {family.name: family for family in server._service.metrics.batching.collect()}
    sizes = found["/tensorflow/serving/batching_session/processed_batch_size"].points[()]
    return sizes.total / sum(sizes.counts)


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

    channel = grpc.insecure_channel(f"127.0.0.1:{port}")
    # Bytes as they are: the clients are not what is measured, but they share the processors.
    predict = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
    rows = np.random.default_rng(1).normal(size=[clients, 1, _WIDTHS[0]]).astype(np.float32)
    requests = [_request(row) for row in rows]
    expected = [_output(predict(each)) for each in requests]
    until = time.monotonic() + seconds
    counts = [0] * clients
    right: list[int] = []

    def ask(number: int) -> None:
        answer = b""
        while time.monotonic() < until:
            answer = predict(requests[number])
            counts[number] += 1
        np.testing.assert_allclose(_output(answer), expected[number], rtol=1e-3, atol=1e-4)
        right.append(number)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(right) == clients, "some client got a wrong answer"
    sending.send(sum(counts) / seconds)


def _request(row: np.ndarray) -> bytes:
    request = PredictRequest(model_spec={"name": "dense"})
    request.inputs["x"].CopyFrom(tf.make_tensor_proto(row))
    return request.SerializeToString()


def _output(answer: bytes) -> np.ndarray:
    return tf.make_ndarray(PredictResponse.FromString(answer).outputs["y"])


if __name__ == "__main__":
    main()
