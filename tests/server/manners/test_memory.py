"""Memory: what a server holds does not grow with reloads, and goes back when a model goes."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf import text_format
from tensorflow_serving.apis.model_management_pb2 import ReloadConfigRequest

from model_server.servables.allocator import set_up
from server.clients import GrpcClient, HttpAnswer, HttpClient
from server.conftest import free_port

COMMAND = str(Path(sys.executable).with_name("model-server"))
MEGABYTES = 40


def loaded(answer: HttpAnswer) -> set[tuple[str, int]]:
    """The versions that are there in whatever state, by an answer to ``/models``."""
    return {
        (model["name"], int(version["version"]))
        for model in answer.json["models"]
        for version in model["model_version_status"]
        if version["state"] != "END"
    }


class Process:
    """The command with no model of weight yet, its memory, and what it serves."""

    def __init__(self, folder: Path) -> None:
        rest, over_grpc = free_port(), free_port()
        # The first model, which stays.
        config = folder / "models.config"
        self._light = self._entry("light", folder / "light", 1)
        self._weighty = folder / "weighty"
        config.write_text(f"model_config_list {{ {self._light} }}")
        flags = [f"--port={over_grpc}", f"--rest_api_port={rest}", f"--model_config_file={config}"]
        # As users run it; other tests turn oneDNN off, and with it the allocator in question.
        environment = {**os.environ, "TF_ENABLE_ONEDNN_OPTS": "1"}
        self.process = subprocess.Popen([COMMAND, *flags], env=environment)
        self.http = HttpClient(rest)
        self.grpc = GrpcClient(f"127.0.0.1:{over_grpc}")

    def _entry(self, name: str, folder: Path, version: int) -> str:
        return (
            f'config {{ name: "{name}" base_path: "{folder}" model_platform: "tensorflow"'
            f" model_version_policy {{ specific {{ versions: {version} }} }} }}"
        )

    def serve(self, version: int | None) -> None:
        """Serves this version of the weighty model and no other; returns when that is so."""
        entry = self._entry("weighty", self._weighty, version) if version else ""
        wanted = {("light", 1)} | ({("weighty", version)} if version else set())
        text = f"config {{ model_config_list {{ {self._light} {entry} }} }}"
        self.grpc.model.HandleReloadConfigRequest(text_format.Parse(text, ReloadConfigRequest()))
        self.http.wait_for("/models", lambda answer: loaded(answer) == wanted)

    def megabytes(self) -> float:
        """What of its memory is resident."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        (line,) = [each for each in status.splitlines() if each.startswith("VmRSS")]
        return int(line.split()[1]) / 1024

    def wait_until_below(self, megabytes: float) -> bool:
        """Whether its memory falls below this soon."""
        until = time.monotonic() + 180
        while (held := self.megabytes()) >= megabytes and time.monotonic() < until:
            time.sleep(0.2)
        return held < megabytes


@pytest.fixture
def process(model_folders, tmp_path) -> Iterator[Process]:
    from server import saved_models

    (tmp_path / "light").mkdir()
    (tmp_path / "light" / "1").symlink_to(model_folders / "two" / "1")
    saved_models.weighty(tmp_path / "weighty" / "1", MEGABYTES)
    (tmp_path / "weighty" / "2").symlink_to(tmp_path / "weighty" / "1")
    running = Process(tmp_path)
    running.http.wait_until_ready()
    yield running
    running.grpc.close()
    running.process.kill()
    running.process.wait()


def test_after_fifty_reloads_a_server_holds_one_version_and_without_it_none(process):
    without = process.megabytes()

    for number in range(50):
        process.serve(1 + number % 2)
    with_one = process.wait_until_below(without + 1.5 * MEGABYTES)
    process.serve(None)
    with_none = process.wait_until_below(without + 0.5 * MEGABYTES)

    assert with_one
    assert with_none


@pytest.mark.parametrize(
    ("given", "tensorflow"),
    [
        pytest.param({}, "1", id="the system's allocator"),
        pytest.param({"TF_ONEDNN_USE_SYSTEM_ALLOCATOR": "0"}, "0", id="what the user chose"),
    ],
)
def test_the_environment_decides_on_the_allocator(given, tensorflow):
    environment = given | {"GLIBC_TUNABLES": "glibc.malloc.arena_max=2"}

    set_up(environment)

    assert environment["TF_ONEDNN_USE_SYSTEM_ALLOCATOR"] == tensorflow
