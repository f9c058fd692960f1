"""Spans of requests: what a server tells of its part in a trace."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Protocol

from model_server.core.servable import ServableId
from model_server.telemetry import trace_context
from model_server.telemetry.trace_context import TraceContext

Value = str | int | float | bool
Attributes = Mapping[str, Value]


class Span(Protocol):
    """One piece of work, as it goes on."""

    def set(self, attributes: Attributes) -> None:
        """Adds what has become known."""

    def fail(self, description: str) -> None:
        """Says that it did not succeed."""

    def part(self, name: str, attributes: Attributes) -> AbstractContextManager[None]:
        """A piece of this piece, from the beginning to the end of the block."""


@dataclass(frozen=True)
class Asked:
    """A request as it comes in; ``parent`` is the trace that its client is in."""

    name: str
    parent: TraceContext | None = None
    attributes: Attributes = field(default_factory=dict)


class Tracing(Protocol):
    """Whoever spans are told to."""

    def request(self, asked: Asked) -> AbstractContextManager[Span]:
        """The span of a request; all that its thread does until the end of the block is in it."""

    def stop(self, seconds: float) -> None:
        """Passes on what was told until now, for at most so long."""


class _Nothing:
    """A span that nobody sees."""

    def set(self, attributes: Attributes) -> None:
        pass

    def fail(self, description: str) -> None:
        pass

    def part(self, name: str, attributes: Attributes) -> AbstractContextManager[None]:
        return _NOTHING_PART


_NOTHING_PART = nullcontext()
_NOTHING: Span = _Nothing()
_NOTHING_HERE = nullcontext(_NOTHING)


class NoTracing:
    """Tells nobody; but logs still name the trace that a client is in."""

    def request(self, asked: Asked) -> AbstractContextManager[Span]:
        """See Tracing."""
        return _NOTHING_HERE if asked.parent is None else _named(asked.parent)

    def stop(self, seconds: float) -> None:
        """See Tracing."""


NO_TRACING: Tracing = NoTracing()


@contextmanager
def _named(parent: TraceContext) -> Iterator[Span]:
    with trace_context.within(parent):
        yield _NOTHING


_CURRENT: ContextVar[Span] = ContextVar("span", default=_NOTHING)


def current() -> Span:
    """The span of the request that this thread answers; one that nobody sees without tracing."""
    return _CURRENT.get()


def is_seen() -> bool:
    """Whether somebody sees the current span."""
    return _CURRENT.get() is not _NOTHING


def run(id: ServableId, signature: str) -> AbstractContextManager[None]:
    """The part of the current span in which a servable runs; the span itself names it too."""
    span = current()
    if span is _NOTHING:
        return _NOTHING_PART
    about: Attributes = {
        "modelfleet.model": id.name,
        "modelfleet.version": id.version,
        "modelfleet.signature": signature,
    }
    span.set(about)
    return span.part("run", about)


@contextmanager
def within(span: Span) -> Iterator[None]:
    """Makes this the current span until the end of the block."""
    token = _CURRENT.set(span)
    try:
        yield
    finally:
        _CURRENT.reset(token)
