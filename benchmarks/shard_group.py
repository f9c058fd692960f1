"""What a model costs that is served by a group: latency, processor time, memory, time to load.

Run ``python benchmarks/shard_group.py [REQUESTS]``. A recommender of 577 MB is served by one server
and by groups of two and four, each server a process; one client asks one of them, in turns with the
single server, and compares every answer with that one's. Prints a table of ratios.
"""

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse

_USERS, _ITEMS, _WIDTH = 2_000_000, 500_000, 64
_GROUPS = (1, 2, 4)
_BATCHES = (1, 32, 512)
_SECONDS_TO_LOAD = 300
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE_KB = 1024


class _Recommender(tf.Module):
    def __init__(self) -> None:
        super().__init__()
        self.users = tf.Variable(tf.random.uniform([_USERS, _WIDTH]))
        self.items = tf.Variable(tf.random.uniform([_ITEMS, _WIDTH // 2]))
        widths = (_WIDTH + _WIDTH // 2 * 2, 128, 64, 1)
        self.layers = [
            tf.Variable(tf.random.normal([inputs, outputs], stddev=inputs**-0.5))
            for inputs, outputs in pairwise(widths)
        ]

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int64, name="ids")])
    def __call__(self, ids: tf.Tensor) -> dict[str, tf.Tensor]:
        items = ids % _ITEMS
        near = tf.gather(self.items, (items + 1) % _ITEMS)
        found = tf.concat([tf.gather(self.users, ids), tf.gather(self.items, items), near], 1)
        for weights in self.layers:
            found = tf.nn.elu(found @ weights)
        return {"score": found}


@dataclass(frozen=True)
class _Group:
    """The processes of the members, where the first is asked, and how long they took to load."""

    processes: Sequence[subprocess.Popen[bytes]]
    port: int
    seconds_to_load: float

    def cpu_seconds(self) -> float:
        fields = [Path(f"/proc/{p.pid}/stat").read_text().split() for p in self.processes]
        return sum(int(each[13]) + int(each[14]) for each in fields) / _TICKS

    def memory(self, field: str) -> list[float]:
        """Megabytes of each member: VmRSS now, VmHWM at the most."""
        texts = [Path(f"/proc/{p.pid}/status").read_text() for p in self.processes]
        lines = [line for text in texts for line in text.splitlines() if line.startswith(field)]
        return [int(line.split()[1]) / _PAGE_KB for line in lines]

    def end(self) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait()


def main() -> None:
    """Builds the model, and asks each group in turns with the single server."""
    requests = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    with tempfile.TemporaryDirectory() as folder:
        model = _Recommender()
        tf.saved_model.save(model, str(Path(folder, "ranker", "1")))
        del model
        single = _started(folder, 1)
        try:
            for shards in _GROUPS[1:]:
                group = _started(folder, shards)
                try:
                    _report(single, group, requests)
                finally:
                    group.end()
        finally:
            single.end()


def _report(single: _Group, group: _Group, requests: int) -> None:
    count = len(group.processes)
    tables = 4 * (_USERS * _WIDTH + _ITEMS * _WIDTH // 2) / 2**20
    print(f"N = {count}")
    print(f"  loaded in {group.seconds_to_load:.1f} s, alone in {single.seconds_to_load:.1f} s")
    alone, members = single.memory("VmHWM")[0], group.memory("VmHWM")
    print(
        f"  memory at most: {max(members):.0f} MB a member, {alone:.0f} MB alone;"
        f" tables {tables:.0f} MB, {tables / count:.0f} MB a share"
    )
    for rows in _BATCHES:
        ratio, cpu, p50 = _compared(single, group, rows, requests)
        print(f"  {rows:>3} rows: p50 {p50 * 1e6:.0f} us, {ratio:.2f} x alone; CPU {cpu:.2f} x")


def _compared(
    single: _Group, group: _Group, rows: int, requests: int
) -> tuple[float, float, float]:
    """Ratios of the group's median latency and processor time, and that latency in seconds."""
    rng = np.random.default_rng(rows)
    messages = [_request(rng.integers(0, _USERS, rows)) for _ in range(requests)]
    times: dict[int, list[float]] = {id(single): [], id(group): []}
    cpu = {id(single): 0.0, id(group): 0.0}
    predicts = {id(each): _predict(each.port) for each in (single, group)}
    for each in (single, group):
        predicts[id(each)](messages[0])
    turn = max(requests // 10, 1)
    for start in range(0, requests, turn):
        answers = []
        for each in (single, group):
            before = each.cpu_seconds()
            answers.append(
                [
                    _timed(predicts[id(each)], message, times[id(each)])
                    for message in messages[start : start + turn]
                ]
            )
            cpu[id(each)] += each.cpu_seconds() - before
        assert answers[0] == answers[1], "the group gave a wrong answer"
    medians = [statistics.median(times[id(each)]) for each in (single, group)]
    return medians[1] / medians[0], cpu[id(group)] / max(cpu[id(single)], 1 / _TICKS), medians[1]


def _timed(predict: grpc.UnaryUnaryMultiCallable, message: bytes, times: list[float]) -> bytes:
    began = time.perf_counter()
    answer = predict(message)
    times.append(time.perf_counter() - began)
    found: bytes = tf.make_ndarray(PredictResponse.FromString(answer).outputs["score"]).tobytes()
    return found


def _predict(port: int) -> grpc.UnaryUnaryMultiCallable:
    channel = grpc.insecure_channel(f"127.0.0.1:{port}")
    return channel.unary_unary("/tensorflow.serving.PredictionService/Predict")


def _request(ids: np.ndarray) -> bytes:
    request = PredictRequest(model_spec={"name": "ranker"})
    request.inputs["ids"].CopyFrom(tf.make_tensor_proto(ids))
    return request.SerializeToString()


def _started(folder: str, shards: int) -> _Group:
    ports = [_free_port() for _ in range(2 * shards)]
    members = ",".join(f"127.0.0.1:{port}" for port in ports[:shards])
    began = time.monotonic()
    processes = [
        subprocess.Popen(
            [
                sys.executable,
                "-m",
                "model_server",
                "--model_name=ranker",
                f"--model_base_path={folder}/ranker",
                f"--port={ports[rank]}",
                f"--rest_api_port={ports[shards + rank]}",
                *([f"--shard_members={members}", f"--shard_rank={rank}"] if shards > 1 else []),
            ],
            stderr=subprocess.DEVNULL,
        )
        for rank in range(shards)
    ]
    for port in ports[shards:]:
        _wait_until_ready(port, began + _SECONDS_TO_LOAD)
    return _Group(processes, ports[0], time.monotonic() - began)


def _wait_until_ready(port: int, until: float) -> None:
    while time.monotonic() < until:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5).close()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise TimeoutError(f"the server at port {port} is not ready")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


if __name__ == "__main__":
    main()
