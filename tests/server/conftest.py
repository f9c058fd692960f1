"""One real server for all tests of this folder: models made once, both ports on loopback."""

import os

# Before TensorFlow is imported: it reads them then. CPU messages are noise, and oneDNN rounds
# differently from the plain kernels.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import socket
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from server.clients import GrpcClient, HttpClient

# A busy machine is no failure of what is tested.
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def model_folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a base path for each model of ``saved_models``; default has version 123."""
    from server import saved_models

    root = tmp_path_factory.mktemp("models")
    saved_models.half_plus_two(root / "default" / "00000123")
    saved_models.half_plus_two(root / "two" / "1")
    saved_models.half_plus_two(root / "two" / "2", addend=3.0)
    saved_models.counter(root / "counter" / "1")
    saved_models.identities(root / "identities" / "1")
    saved_models.pair(root / "pair" / "1")
    saved_models.with_default(root / "with_default" / "1")
    return root


@pytest.fixture(scope="session")
def running(model_folders: Path) -> Iterator[tuple[GrpcClient, HttpClient]]:
    """A server with all of ``model_folders``, as its two clients; ``two`` has the label stable."""
    from google.protobuf import text_format
    from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

    from model_server.options.flags import Options
    from model_server.server import Server

    models = [
        f'config {{ name: "{folder.name}" base_path: "{folder}" model_platform: "tensorflow"'
        " model_version_policy { all {} }"
        f"{LABELS.get(folder.name, '')} }}"
        for folder in sorted(model_folders.iterdir())
    ]
    config = text_format.Parse(f"model_config_list {{ {' '.join(models)} }}", ModelServerConfig())
    server = Server(Options(port=free_port(), rest_api_port=free_port()), config)
    ports = server.start()
    http = HttpClient(ports.rest)
    http.wait_until_ready()
    grpc = GrpcClient(f"127.0.0.1:{ports.grpc}")
    yield grpc, http
    grpc.close()
    server.stop(grace=5)


LABELS = {"two": ' version_labels { key: "stable" value: 1 }'}


def free_port() -> int:
    """A TCP port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


@pytest.fixture(scope="session")
def grpc_client(running: tuple[GrpcClient, HttpClient]) -> GrpcClient:
    """Speaks to the gRPC port."""
    return running[0]


@pytest.fixture(scope="session")
def http_client(running: tuple[GrpcClient, HttpClient]) -> HttpClient:
    """Speaks to the REST port."""
    return running[1]
