"""How much loading a large model disturbs the requests of another one in the same server.

Run ``python -m benchmarks.isolation [ROUNDS] [MEGABYTES]``. A server answers the tiny model over
gRPC on 4 connections; in each round it is measured quiet, and then again while a version of the
large model is loaded. Prints p50 and p99 in milliseconds of both, round by round, and the medians
of their ratios.
"""

import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import grpc
from tensorflow_serving.apis.get_model_status_pb2 import (
    GetModelStatusRequest,
    GetModelStatusResponse,
)

from benchmarks.serving import models, wire
from benchmarks.serving.load import Clients, Seen, over_grpc
from benchmarks.serving.processes import Command, Server, free_port, grpc_answer_bytes, serving

_CLIENTS = Clients(connections=4, seconds=1.0, warm_up=0.0)
# Of ModelVersionStatus.
_STATES = {"LOADING": 20, "AVAILABLE": 30, "END": 50}
_STATUS = "/tensorflow.serving.ModelService/GetModelStatus"
_LARGE = """
import sys, numpy as np, tensorflow as tf
class Large(tf.Module):
    def __init__(self, megabytes):
        super().__init__()
        self.layers = [tf.Variable(tf.random.uniform([1024, 1024 * 16]))
                       for _ in range(megabytes // 64)]
    @tf.function(input_signature=[tf.TensorSpec([None, 1024], tf.float32, name="x")])
    def __call__(self, x):
        return {"y": tf.add_n([tf.reduce_sum(x @ layer, 1) for layer in self.layers])}
tf.saved_model.save(Large(int(sys.argv[2])), sys.argv[1])
"""


def main() -> None:
    """Measures in pairs."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    megabytes = int(sys.argv[2]) if len(sys.argv) > 2 else 2048
    with tempfile.TemporaryDirectory() as folder, open(Path(folder, "log"), "wb") as log:
        tiny = models.saved("tiny", Path(folder, "tiny"))
        large = Path(folder, "large")
        away = Path(folder, "away")
        large.mkdir()
        print(f"making a model of {megabytes} MB", flush=True)
        subprocess.run([sys.executable, "-c", _LARGE, str(away), str(megabytes)], check=True)
        config = Path(folder, "models")
        config.write_text(
            "model_config_list {"
            + "".join(
                f' config {{ name: "{base.name}" base_path: "{base}"'
                ' model_platform: "tensorflow" }'
                for base in (tiny.base, large)
            )
            + " }"
        )
        command = Command(
            [
                str(Path(sys.executable).with_name("model-server")),
                f"--port={(port := free_port())}",
                f"--model_config_file={config}",
                *sys.argv[3:],
            ],
            port,
        )
        protocol = wire.tensorflow_serving(tiny)
        with serving(command, protocol, tiny.answer, log) as server:
            size = grpc_answer_bytes(port, protocol)
            _print(rounds, lambda: over_grpc(port, protocol, _CLIENTS, size), server, (away, large))


def _print(rounds, ask, server: Server, folders: tuple[Path, Path]) -> None:  # type: ignore[no-untyped-def]
    away, large = folders
    port = server.command.grpc_port
    ratios: list[float] = []
    for _ in range(rounds):
        quiet = ask()
        quiet = min((quiet, ask()), key=lambda seen: seen.p99)
        away.rename(large / "1")
        _until(port, "LOADING")
        began = time.monotonic()
        seen: list[Seen] = []
        loading = threading.Thread(target=_until, args=(port, "AVAILABLE"))
        loading.start()
        while loading.is_alive():
            seen.append(ask())
        took = time.monotonic() - began
        (large / "1").rename(away)
        _until(port, "END")
        for busy in seen[:-1] or seen:
            ratios.append(busy.p99 / quiet.p99)
            print(
                f"quiet {quiet.p50:6.2f} {quiet.p99:6.2f}   loading {busy.p50:6.2f}"
                f" {busy.p99:6.2f}   p99 x {ratios[-1]:.2f}  ({quiet.rate:.0f} and"
                f" {busy.rate:.0f} requests/s, loads in {took:.1f} s)",
                flush=True,
            )
    print(f"p99 while loading / quiet: median {statistics.median(ratios):.2f} of {len(ratios)}")
    shutil.rmtree(away)


def _until(port: int, state: str) -> None:
    request = GetModelStatusRequest(model_spec={"name": "large"}).SerializeToString()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary(_STATUS)
        while True:
            try:
                found = GetModelStatusResponse.FromString(call(request, timeout=20))
                if found.model_version_status[0].state >= _STATES[state]:
                    return
            except grpc.RpcError:
                pass
            time.sleep(0.02)


if __name__ == "__main__":
    main()
