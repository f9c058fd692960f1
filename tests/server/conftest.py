"""One real server for all tests of this folder: models made once, both ports on loopback."""

import os

# Before TensorFlow is imported: it reads them then. CPU messages are noise, and oneDNN rounds
# differently from the plain kernels.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import text_format
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from model_server.options.flags import Options
from model_server.server import Server
from server.clients import GrpcClient, HttpClient
from testcluster.ports import free_ports


@pytest.fixture(scope="session")
def model_folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a base path for each model of ``saved_models``; default has version 123."""
    # Imports TensorFlow, which the tests of pure rules do not need.
    from server import saved_models

    root = tmp_path_factory.mktemp("models")
    saved_models.half_plus_two(root / "default" / "00000123")
    saved_models.half_plus_two(root / "two" / "1")
    saved_models.half_plus_two(root / "two" / "2", addend=3.0)
    saved_models.counter(root / "counter" / "1")
    saved_models.identities(root / "identities" / "1")
    saved_models.classifier(root / "classifier" / "1")
    saved_models.pair(root / "pair" / "1")
    saved_models.with_default(root / "with_default" / "1")
    saved_models.slow(root / "slow" / "1")
    return root


@dataclass(frozen=True)
class Running:
    """A server in this process, with a client for each port."""

    server: Server
    grpc: GrpcClient
    http: HttpClient

    def end(self) -> None:
        self.grpc.close()
        self.server.stop(grace=5)


def serve(models: str, **options: Any) -> Running:
    """Starts a server for models written as entries of a ModelConfigList.

    MODELFLEET_TEST_TRANSPORT=python runs all tests that do so over the other transport.
    """
    options.setdefault("transport", os.environ.get("MODELFLEET_TEST_TRANSPORT", "auto"))
    config = text_format.Parse(f"model_config_list {{ {models} }}", ModelServerConfig())
    server = Server(
        Options(**{"port": free_port(), "rest_api_port": free_port()} | options), config
    )
    ports = server.start()
    return Running(server, GrpcClient(f"127.0.0.1:{ports.grpc}"), HttpClient(ports.rest))


def model_config(folder: Path, more: str = "model_version_policy { all {} }") -> str:
    """The entry of a ModelConfigList for a base path, which names the model."""
    return (
        f'config {{ name: "{folder.name}" base_path: "{folder}" model_platform: "tensorflow"'
        f" {more} }}"
    )


@pytest.fixture(scope="session")
def running(model_folders: Path) -> Iterator[Running]:
    """A server with all of ``model_folders``; the first version of ``two`` is labelled stable."""
    entries = [
        model_config(folder, f"model_version_policy {{ all {{}} }} {LABELS.get(folder.name, '')}")
        for folder in sorted(model_folders.iterdir())
    ]
    running = serve(" ".join(entries))
    running.http.wait_until_ready()
    running.http.wait_until_available("two", 1, 2)
    yield running
    running.end()


@pytest.fixture
def started() -> Iterator[Callable[..., Running]]:
    """Starts servers as ``serve`` does, and ends them after the test."""
    servers: list[Running] = []

    def start(models: str, **options: Any) -> Running:
        servers.append(serve(models, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.end()


LABELS = {"two": 'version_labels { key: "stable" value: 1 }'}


def free_port() -> int:
    """A TCP port that nobody listens on."""
    (port,) = free_ports(1)
    return port


@pytest.fixture(scope="session")
def grpc_client(running: Running) -> GrpcClient:
    """Speaks to the gRPC port."""
    return running.grpc


@pytest.fixture(scope="session")
def http_client(running: Running) -> HttpClient:
    """Speaks to the REST port."""
    return running.http
