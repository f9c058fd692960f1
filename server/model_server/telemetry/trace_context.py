"""Which trace a request belongs to, as its client says in a ``traceparent`` header.

Source: W3C Trace Context, https://www.w3.org/TR/trace-context/.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

HEADER, STATE_HEADER = "traceparent", "tracestate"

_PARENT = re.compile(
    r"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})"
    r"(?P<more>-.*)?"
)
# What the standard asks of everybody to pass on; longer ones may be left out.
_LONGEST_STATE = 512
_SAMPLED = 1


@dataclass(frozen=True, slots=True)
class TraceContext:
    """A trace, and the span in it that is going on; both ids in lower-case hexadecimal."""

    trace_id: str
    span_id: str
    sampled: bool = False
    state: str = ""


def parse(parent: str, state: str = "") -> TraceContext | None:
    """What the headers say; None where they say nothing valid, which starts a new trace."""
    match = _PARENT.fullmatch(parent.strip())
    if match is None or match["version"] == "ff" or (match["version"] == "00" and match["more"]):
        return None
    if not int(match["trace"], 16) or not int(match["span"], 16):
        return None
    sampled = bool(int(match["flags"], 16) & _SAMPLED)
    kept = state if len(state) <= _LONGEST_STATE else ""
    return TraceContext(match["trace"], match["span"], sampled, kept)


_CURRENT: ContextVar[TraceContext | None] = ContextVar("trace", default=None)


def current() -> TraceContext | None:
    """The trace that this thread or task works for."""
    return _CURRENT.get()


@contextmanager
def within(trace: TraceContext) -> Iterator[None]:
    """Works for this trace until the end of the block."""
    token = _CURRENT.set(trace)
    try:
        yield
    finally:
        _CURRENT.reset(token)
