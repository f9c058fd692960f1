"""The example models, made once, and a small real server of canned answers."""

from __future__ import annotations

import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
sys.path[:0] = [str(EXAMPLES), str(EXAMPLES / "recommender")]  # scripts import their siblings


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("models")
    # In a process of its own: it makes all operations of TensorFlow deterministic for good, which
    # would change what later tests of this worker measure.
    command = [sys.executable, str(EXAMPLES / "make_models.py"), "--out", str(out)]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    return out


@dataclass
class Served:
    """Answers over both protocols with `outputs`, whatever the input; names `version` on gRPC."""

    outputs: dict[str, Any] = field(default_factory=dict)
    version: int = 1
    grpc: str = ""
    rest: str = ""


@pytest.fixture
def served() -> Iterator[Served]:
    answers = Served()
    with _over_grpc(answers), _over_rest(answers):
        yield answers


@contextmanager
def _over_grpc(answers: Served) -> Iterator[None]:
    import grpc
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    class Service(prediction_service_pb2_grpc.PredictionServiceServicer):
        def Predict(self, request: Any, context: Any) -> Any:
            if not answers.outputs:
                context.abort(grpc.StatusCode.NOT_FOUND, "no such model")
            response = predict_pb2.PredictResponse()
            response.model_spec.version.value = answers.version
            for name, value in answers.outputs.items():
                response.outputs[name].CopyFrom(tf.make_tensor_proto(value))
            return response

    with ThreadPoolExecutor(2) as pool:
        server = grpc.server(pool)
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Service(), server)
        answers.grpc = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        server.start()
        yield
        server.stop(None).wait()


@contextmanager
def _over_rest(answers: Served) -> Iterator[None]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            values = list(answers.outputs.values())
            outputs = values[0] if len(values) == 1 else answers.outputs
            body = json.dumps({"outputs": outputs}).encode()
            self.send_response(200 if answers.outputs else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        answers.rest = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield
        server.shutdown()
        thread.join()
