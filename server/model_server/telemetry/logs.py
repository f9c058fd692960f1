"""Where all that is logged in the process goes, and in which form."""

import logging
import os
import sys
import threading
from types import TracebackType

from model_server.telemetry.log_lines import TEXT, JsonLines
from model_server.telemetry.log_stream import LogStream

_STDERR = 2

_log = logging.getLogger("model_server")


def set_up(form: str) -> None:
    """Writes the log to stderr from now on, as ``text`` or ``json``.

    Warnings and errors that nobody catches are part of it.
    """
    _occupy_standard_streams()
    handler = LogStream(_STDERR)
    handler.setFormatter(JsonLines() if form == "json" else logging.Formatter(TEXT))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.captureWarnings(True)
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread


def _occupy_standard_streams() -> None:
    # A descriptor that is closed is given to the next file that is opened; C++ code that writes to
    # its stderr would then write into a model's file or a client's connection.
    for descriptor in range(_STDERR + 1):
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest free number is the one that was found to be closed.
            os.open(os.devnull, os.O_RDWR)


def _uncaught(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    _log.critical("The process ends by an error", exc_info=(kind, error, traceback))


def _uncaught_in_thread(arguments: threading.ExceptHookArgs) -> None:
    if arguments.exc_value is None:
        return
    name = arguments.thread.name if arguments.thread else "?"
    details = (arguments.exc_type, arguments.exc_value, arguments.exc_traceback)
    _log.critical("The thread %s ended by an error", name, exc_info=details)
