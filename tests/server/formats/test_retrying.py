"""A load is tried again where the folder may still change, and only there."""

import shutil

import pytest

from model_server.core.errors import Code, ServingError
from model_server.servables.retrying import may_pass
from server.conftest import model_config
from server.formats import warm_ups

CODES = [
    (Code.DATA_LOSS, True),
    (Code.NOT_FOUND, True),
    (Code.OUT_OF_RANGE, True),
    (Code.RESOURCE_EXHAUSTED, True),
    (Code.UNAVAILABLE, True),
    (Code.UNKNOWN, True),
    (Code.INVALID_ARGUMENT, False),
    (Code.FAILED_PRECONDITION, False),
    (Code.UNIMPLEMENTED, False),
]


@pytest.mark.parametrize(("code", "passes"), CODES)
def test_the_code_says_whether_waiting_can_help(code, passes):
    assert may_pass(ServingError(code, "why")) is passes


def test_an_operation_that_is_unknown_stays_unknown():
    assert not may_pass(ServingError(Code.NOT_FOUND, "Op type not registered 'X' in binary"))


@pytest.fixture
def model(model_folders, tmp_path):
    """A base path with a copy of a sound version 1."""
    shutil.copytree(model_folders / "default" / "00000123", tmp_path / "m" / "1")
    return tmp_path / "m"


def test_what_cannot_be_served_ends_at_once_although_retries_are_left(started, model):
    warm_ups.write(model / "1", warm_ups.session_run())

    running = started(model_config(model))

    ended = running.http.wait_for("/v1/models/m", lambda answer: '"END"' in answer.text)
    assert "UNIMPLEMENTED" in ended.text


@pytest.mark.parametrize("late", ["variables", "saved_model.pb"])
def test_a_folder_that_was_half_copied_is_served_when_it_is_whole(started, model, late):
    (model / "1" / late).rename(model.parent / late)
    running = started(model_config(model), load_retry_interval_micros=100_000)
    running.http.wait_until_reason("LoadFailed")

    (model.parent / late).rename(model / "1" / late)

    assert running.http.wait_until_ready().status == 200
