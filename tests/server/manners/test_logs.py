"""The log: what its lines look like, and that serving never depends on where they go."""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from model_server.core.servable import ServableId
from model_server.telemetry.log_lines import JsonLines
from model_server.telemetry.log_stream import LogStream
from model_server.telemetry.trace_context import TraceContext, parse, within
from server.clients import HttpClient
from server.conftest import free_port

COMMAND = str(Path(sys.executable).with_name("model-server"))
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def record(message: str, *args: object, **more: object) -> logging.LogRecord:
    fields = {"name": "a.b", "levelname": "INFO", "msg": message, "args": args, "created": 0.25}
    return logging.makeLogRecord(fields | more)


def line(*args: object, **more: object) -> dict[str, object]:
    return json.loads(JsonLines().format(record(*args, **more)))


def test_a_json_line_has_time_level_logger_and_message():
    assert line("%d models", 3) == {
        "time": "1970-01-01T00:00:00.250000Z",
        "level": "INFO",
        "logger": "a.b",
        "message": "3 models",
    }


@pytest.mark.parametrize(
    "about",
    [
        pytest.param(line("loaded %s", ServableId("m", 2)), id="as an argument"),
        pytest.param(line("loaded", **ServableId("m", 2).log_fields), id="as extra fields"),
    ],
)
def test_a_line_about_a_servable_names_model_and_version(about):
    assert (about["model"], about["version"]) == ("m", 2)


def test_a_line_about_a_traced_request_names_its_trace():
    with within(TraceContext(TRACE, SPAN)):
        written = line("refused")

    assert (written["trace_id"], written["span_id"]) == (TRACE, SPAN)


def test_a_message_of_many_lines_and_a_traceback_stay_in_one_line():
    try:
        raise ValueError("wrong")
    except ValueError:
        text = JsonLines().format(record("one\ntwo", exc_info=sys.exc_info()))

    assert "\n" not in text
    assert json.loads(text)["message"] == "one\ntwo"
    assert "ValueError: wrong" in json.loads(text)["exception"]


@pytest.mark.parametrize(
    ("header", "trace"),
    [
        pytest.param(f"00-{TRACE}-{SPAN}-01", TraceContext(TRACE, SPAN, True), id="sampled"),
        pytest.param(f"00-{TRACE}-{SPAN}-00", TraceContext(TRACE, SPAN), id="not sampled"),
        pytest.param(f"cc-{TRACE}-{SPAN}-01-more", TraceContext(TRACE, SPAN, True), id="a later"),
        pytest.param(f"00-{TRACE}-{SPAN}-01-more", None, id="too long for its version"),
        pytest.param(f"ff-{TRACE}-{SPAN}-01", None, id="a version that cannot be"),
        pytest.param(f"00-{TRACE.upper()}-{SPAN}-01", None, id="upper case"),
        pytest.param(f"00-{'0' * 32}-{SPAN}-01", None, id="no trace"),
        pytest.param(f"00-{TRACE}-{'0' * 16}-01", None, id="no span"),
        pytest.param(f"00-{TRACE}-{SPAN}", None, id="no flags"),
        pytest.param("", None, id="empty"),
    ],
)
def test_a_traceparent_is_read_as_the_standard_says(header, trace):
    assert parse(header) == trace


def test_an_overlong_tracestate_is_dropped_alone():
    assert parse(f"00-{TRACE}-{SPAN}-01", "a=" + "b" * 600) == TraceContext(TRACE, SPAN, True)


@pytest.fixture
def pipe() -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """The files to read from and to write to."""
    reading, writing = os.pipe()
    with open(reading, "rb", buffering=0) as source, open(writing, "wb", buffering=0) as sink:
        yield source, sink


def test_who_logs_does_not_wait_for_a_reader_that_has_stopped_and_lost_lines_are_told(pipe):
    reading, writing = pipe
    stream = LogStream(writing.fileno(), most_waiting=10, last_words=60)
    read: list[bytes] = []

    for _ in range(200):
        stream.handle(record("x" * 10_000))
    reader = threading.Thread(target=read.extend, args=(reading,))
    reader.start()
    stream.close()
    writing.close()
    reader.join()

    told = [line for line in read if b"could not be written" in line]
    lost = sum(int(line.split()[0]) for line in told)
    assert lost > 0
    assert lost + len(read) - len(told) == 200


def test_a_record_that_cannot_be_formatted_is_said_to_be(pipe):
    reading, writing = pipe
    stream = LogStream(writing.fileno(), last_words=60)

    stream.handle(record("%d models", "no number"))
    stream.close()

    assert b"a record of a.b could not be written" in reading.read(1000)


@pytest.fixture
def serve(model_folders) -> Iterator[Callable[..., tuple[subprocess.Popen[bytes], HttpClient]]]:
    """Starts the command with the model ``two``; the first argument is its redirection."""
    processes: list[subprocess.Popen[bytes]] = []

    def start(redirection: str, *flags: str) -> tuple[subprocess.Popen[bytes], HttpClient]:
        port = free_port()
        command = [COMMAND, f"--port={free_port()}", f"--rest_api_port={port}", *flags]
        model = ["--model_name=two", f"--model_base_path={model_folders / 'two'}"]
        shell = ["sh", "-c", f'exec "$0" "$@" {redirection}', *command, *model]
        processes.append(subprocess.Popen(shell))
        return processes[-1], HttpClient(port)

    yield start
    for process in processes:
        process.kill()
        process.wait()


def ended(process: subprocess.Popen[bytes]) -> int:
    process.send_signal(signal.SIGTERM)
    return process.wait(timeout=180)


@pytest.mark.parametrize(
    "redirection",
    [
        pytest.param(">/dev/full 2>/dev/full", id="the disk is full"),
        pytest.param("0>&- 1>&- 2>&-", id="the streams are closed"),
    ],
)
def test_the_server_serves_and_ends_well_when_it_cannot_log(serve, redirection):
    process, http = serve(redirection, "--an_unknown_flag")
    http.wait_until_ready()

    answer = http.post("/v1/models/two:predict", {"instances": [1.0]})

    assert answer.json == {"predictions": [3.5]}
    assert ended(process) == 0


def test_another_log_format_is_refused():
    refused = subprocess.run(
        [COMMAND, "--model_base_path=/m", "--log_format=xml"], capture_output=True, text=True
    )

    assert refused.returncode == 255
    assert '--log_format must be text or json, not "xml"' in refused.stdout
