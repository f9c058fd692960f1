"""Requests of the API answered in the turn of their models, each with a span of its own."""

from collections.abc import Callable
from functools import partial
from typing import Protocol

from model_server.api.codes import http_status, is_fault
from model_server.api.fair_turns import FairTurns
from model_server.api.model_counts import ModelCounts
from model_server.api.rest.routes import INFERENCE, Route
from model_server.core.client import Client, working_for
from model_server.core.errors import Code
from model_server.service.metrics.outcome import outcome
from model_server.telemetry import trace_context
from model_server.telemetry.tracing import NO_TRACING, Asked, Span, Tracing

Answer = Callable[[Route, bytes], str]


class Header(Protocol):
    """Looks for what a client sent under a name, in small letters."""

    def __call__(self, name: str) -> str | None:
        """All that was sent, joined by commas; None if nothing was."""


class InTurn:
    """Answers requests in turn; thread-safe."""

    def __init__(
        self,
        answer: Answer,
        turns: FairTurns,
        models: ModelCounts,
        tracing: Tracing = NO_TRACING,
    ) -> None:
        self._answer = answer
        self._turns = turns
        self._models = models
        self._tracing = tracing

    def model(self, route: Route) -> str:
        """The model to run; "" if there is nothing to run, or no such model."""
        name = route.spec.name if route.action in INFERENCE else ""
        return self._models.counted_as(name)

    def __call__(
        self, asking: Client, asked: Asked, route: Route, body: Callable[[], bytes]
    ) -> str:
        """The text of the answer; the body is taken when the turn comes. Raises ServingError."""
        turn = self._turns.turn(self.model(route))
        with (
            self._tracing.request(asked) as span,
            outcome(partial(tell, span)),
            working_for(asking),
            turn,
        ):
            return self._answer(route, body())


def tell(span: Span, code: Code, _began: float) -> None:
    """Tells the span of a request how that ended; for ``outcome``."""
    span.set({"http.response.status_code": http_status(code)})
    if is_fault(code):
        span.fail(code.name)


def asked(method: str, path: str, route: Route, header: Header) -> Asked:
    """What a span tells of a request; the path is without its query."""
    parent = None
    if (sent := header(trace_context.HEADER)) is not None:
        parent = trace_context.parse(sent, header(trace_context.STATE_HEADER) or "")
    # The model's name is an attribute: names of spans must be few.
    about = {"http.request.method": method, "url.path": path}
    return Asked(f"{method} {route.action}", parent, about)
