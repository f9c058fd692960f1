"""A configuration that cannot be: refused at the start, told later; what is served stays."""

import logging
import time
from pathlib import Path

import pytest
from google.protobuf import text_format
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from model_server.core.errors import Code, ServingError
from model_server.options.flags import Options
from model_server.server import Server
from server.conftest import Running, free_port, model_config, serve

MODEL = 'config { name: "m" base_path: "/m" model_platform: "tensorflow" }'
NOT_TAKEN = "The model configuration was not taken: "


@pytest.mark.parametrize(
    ("models", "message"),
    [
        pytest.param(
            MODEL * 2, "Illegal to list model m multiple times in config list", id="a name twice"
        ),
        pytest.param(
            MODEL.replace('"/m"', '"m/n"'),
            "Expected model m to have an absolute path or URI; got base_path()=m/n",
            id="a relative path",
        ),
        pytest.param(
            MODEL.replace('base_path: "/m"', ""),
            "Expected model m to have an absolute path or URI; got base_path()=",
            id="no path",
        ),
        pytest.param(
            'config { name: "m" base_path: "/m" }',
            "Illegal setting neither ModelServerConfig::model_type (deprecated)"
            " nor ModelServerConfig::model_platform, model name is m",
            id="no platform",
        ),
        pytest.param(
            MODEL.replace("model_platform", "model_type: TENSORFLOW model_platform"),
            "Illegal setting both ModelServerConfig::model_type (deprecated)"
            " and ModelServerConfig::model_platform.",
            id="a platform twice",
        ),
    ],
)
def test_a_server_does_not_start_with_a_configuration_that_cannot_be(models, message):
    config = text_format.Parse(f"model_config_list {{ {models} }}", ModelServerConfig())
    server = Server(Options(port=free_port()), config)

    with pytest.raises(ServingError) as raised:
        server.start()

    assert (raised.value.code, raised.value.message) == (Code.INVALID_ARGUMENT, message)


class Polled:
    """A server that reads its models from a file each second."""

    def __init__(self, file: Path, entry: str) -> None:
        self.file = file
        self.entry = entry
        self.write(f"model_config_list {{ {entry} }}")
        self.running: Running = serve(
            entry, model_config_file=str(file), model_config_file_poll_wait_seconds=1
        )
        self.running.http.wait_until_ready()
        self.running.http.wait_until_available("two", 2)

    def write(self, text: str | bytes) -> None:
        self.file.write_bytes(text if isinstance(text, bytes) else text.encode())

    def answer(self) -> object:
        return self.running.http.post("/v1/models/two:predict", {"inputs": 2.0}).json


@pytest.fixture(scope="module")
def polled(model_folders, tmp_path_factory):
    """A server of the model ``two``, which its file names."""
    file = tmp_path_factory.mktemp("polled") / "models.config"
    polled = Polled(file, model_config(model_folders / "two"))
    yield polled
    polled.running.end()


def wait_for(caplog: pytest.LogCaptureFixture, message: str) -> None:
    until = time.monotonic() + 180
    while message not in caplog.text:
        assert time.monotonic() < until, f"not logged: {message}"
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            "", "FILE: says nothing; to serve no model, write model_config_list {}", id="nothing"
        ),
        pytest.param(b"\x80", "FILE: not a text file (byte 0: invalid start byte)", id="garbage"),
        pytest.param(
            "model_config_list { ENTRY",
            "FILE: Error parsing text-format tensorflow.serving.ModelServerConfig: ",
            id="half a file",
        ),
        pytest.param(
            "model_config_list { ENTRY } models: 1",
            "FILE: Error parsing text-format tensorflow.serving.ModelServerConfig: ",
            id="an unknown field",
        ),
        pytest.param(
            "custom_model_config {}",
            "FILE: custom_model_config: ModelServer does not yet support custom model config.",
            id="a custom configuration",
        ),
        pytest.param(
            "model_config_list { ENTRY ENTRY }",
            "INVALID_ARGUMENT: Illegal to list model two multiple times in config list",
            id="a name twice",
        ),
        pytest.param(
            f"model_config_list {{ ENTRY {MODEL.replace('/m', 'relative')} }}",
            "INVALID_ARGUMENT: Expected model m to have an absolute path or URI;"
            " got base_path()=relative",
            id="a relative path",
        ),
    ],
)
def test_a_file_that_becomes_bad_is_told_and_loses_nothing(polled, text, message, caplog):
    if isinstance(text, str):
        text = text.replace("ENTRY", polled.entry)

    with caplog.at_level(logging.ERROR):
        polled.write(text)
        wait_for(caplog, NOT_TAKEN + message.replace("FILE", str(polled.file)))

    assert polled.answer() == {"outputs": 4.0}


def test_a_file_that_is_gone_is_told_and_may_come_back(polled, model_folders, caplog):
    with caplog.at_level(logging.ERROR):
        polled.file.unlink()
        wait_for(caplog, f"{NOT_TAKEN}{polled.file}: No such file or directory")
    still = polled.answer()

    polled.write(f"model_config_list {{ {polled.entry} {model_config(model_folders / 'pair')} }}")
    polled.running.http.wait_for("/v1/models/pair", lambda answer: '"AVAILABLE"' in answer.text)

    assert still == polled.answer() == {"outputs": 4.0}


def test_two_models_may_have_one_base_path(started, model_folders):
    entry = model_config(model_folders / "two")
    again = entry.replace('name: "two"', 'name: "again"')
    running = started(f"{entry} {again}")
    for name in ("two", "again"):
        running.http.wait_until_available(name, 2)

    answers = [
        running.http.post(f"/v1/models/{name}:predict", {"inputs": 2.0}).json
        for name in ("two", "again")
    ]

    assert answers == [{"outputs": 4.0}] * 2
