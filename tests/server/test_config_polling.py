"""The poller of the model configuration outlives whatever it reads, and does not repeat itself."""

import logging
import threading
from datetime import timedelta

from model_server.core.errors import Code, ServingError
from model_server.service.config_polling import ConfigPoller


def test_trouble_is_told_when_it_changes_and_again_after_a_success(caplog):
    bad, worse = ValueError("bad"), ServingError(Code.UNKNOWN, "worse")
    outcomes = iter([bad, bad, worse, worse, bad, None, bad, KeyError("ours"), bad, bad])
    over = threading.Event()

    def read() -> object:
        outcome = next(outcomes, None)
        if outcome is None:
            return "a configuration"
        raise outcome

    def apply(_config: object) -> None:
        if next(left, None) is None:
            over.set()

    left = iter(["the success in between"])
    poller = ConfigPoller(read, apply, timedelta(milliseconds=1))

    with caplog.at_level(logging.ERROR):
        poller.start()
        assert over.wait(180)
        poller.stop()

    assert [record.getMessage() for record in caplog.records] == [
        "The model configuration was not taken: bad",
        "The model configuration was not taken: UNKNOWN: worse",
        "The model configuration was not taken: bad",
        "The model configuration was not taken: bad",
        "the model configuration was not taken, unexpectedly",
    ]
