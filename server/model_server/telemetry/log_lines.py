"""How a log record is written: as a line for people, or as a JSON object for machines."""

import json
import logging
from datetime import UTC, datetime

from model_server.core.servable import ServableId
from model_server.telemetry import trace_context

TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class JsonLines(logging.Formatter):
    """One object in one line: time, level, logger, message, and what else is known.

    That is ``model`` and ``version`` where a record is about a servable, ``trace_id`` and
    ``span_id`` where a request with a trace context caused it, ``exception`` with the traceback.
    """

    def format(self, record: logging.LogRecord) -> str:
        """See logging.Formatter."""
        line: dict[str, object] = {
            "time": _time(record.created),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **_servable(record),
        }
        trace = trace_context.current()
        if trace is not None:
            line |= {"trace_id": trace.trace_id, "span_id": trace.span_id}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def _servable(record: logging.LogRecord) -> dict[str, object]:
    arguments = record.args if isinstance(record.args, tuple) else ()
    fields: dict[str, object] = {}
    for argument in arguments:
        if isinstance(argument, ServableId):
            fields |= argument.log_fields
    # What a caller gives in ``extra``.
    return fields | {
        name: vars(record)[name] for name in ("model", "version") if name in vars(record)
    }
