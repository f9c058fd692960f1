"""The command ``model-server``, started and awaited as by scripts for TensorFlow Serving."""

import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import grpc
from tensorflow_serving.apis.predict_pb2 import PredictRequest

from server.clients import GrpcClient, HttpClient
from server.conftest import free_port

COMMAND = str(Path(sys.executable).with_name("model-server"))


class UpstreamServer:
    """One process, with a client for each of its addresses."""

    def __init__(self, *flags: str, socket: str = "", env: Mapping[str, str] | None = None) -> None:
        self.socket = socket
        port, rest_port = free_port(), free_port()
        self.process = subprocess.Popen(
            [
                COMMAND,
                f"--port={port}",
                f"--rest_api_port={rest_port}",
                "--rest_api_timeout_in_ms=10000",
                f"--grpc_socket_path={socket}",
                *flags,
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=env,
        )
        self.grpc = GrpcClient(f"127.0.0.1:{port}")
        self.http = HttpClient(rest_port)

    def wait_until_up(self) -> "UpstreamServer":
        """Asks for a model that does not exist until the answer is that it does not."""
        until = time.monotonic() + 180
        request = PredictRequest(model_spec={"name": "intentionally_missing_model"})
        while time.monotonic() < until:
            try:
                self.grpc.prediction.Predict(request, timeout=180)
            except grpc.RpcError as error:
                if "Servable not found" in error.details():
                    return self
            time.sleep(0.1)
        raise TimeoutError("the server does not come up")

    def predict(self, name: str, *, version: int | None = None, label: str = "", x: float = 2.0):
        """The answer to Predict with x, in 5 seconds."""
        request = PredictRequest(model_spec={"name": name})
        if version is not None:
            request.model_spec.version.value = version
        if label:
            request.model_spec.version_label = label
        request.inputs["x"].dtype = 1
        request.inputs["x"].float_val.append(x)
        return self.grpc.prediction.Predict(request, timeout=180)

    def end(self) -> None:
        """Ends the process at once."""
        self.grpc.close()
        self.process.kill()
        self.process.communicate()
