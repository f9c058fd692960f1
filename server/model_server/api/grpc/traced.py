"""A gRPC method with a span around each call, in the trace that the call's metadata names."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import grpc

from model_server.api.codes import is_fault
from model_server.api.grpc.unary import Handler
from model_server.core.errors import Code
from model_server.telemetry import trace_context
from model_server.telemetry.trace_context import TraceContext
from model_server.telemetry.tracing import NO_TRACING, Asked, Tracing

# What a call's metadata says by a name.
Header = Callable[[Any, str], str | None]


@dataclass(frozen=True)
class Spans:
    """The spans of one method's calls."""

    tracing: Tracing
    path: str
    header: Header

    def of(self, context: grpc.ServicerContext) -> AbstractContextManager[None] | None:
        """That of one call, to its end; None if nobody is told and no trace is named."""
        text = self.header(context, trace_context.HEADER)
        state = text and self.header(context, trace_context.STATE_HEADER)
        parent = trace_context.parse(text, state or "") if text else None
        if parent is None and self.tracing is NO_TRACING:
            # What most servers do must cost them nothing.
            return None
        return self._span(context, parent)

    @contextmanager
    def _span(self, context: grpc.ServicerContext, parent: TraceContext | None) -> Iterator[None]:
        name = self.path.lstrip("/")
        service, _, method = name.rpartition("/")
        about = {"rpc.system": "grpc", "rpc.service": service, "rpc.method": method}
        with self.tracing.request(Asked(name, parent, about)) as span:
            try:
                yield
            finally:
                code = _code(context)
                span.set({"rpc.grpc.status_code": int(code)})
                if is_fault(code):
                    span.fail(code.name)


def traced(tracing: Tracing, path: str, handler: Handler, header: Header) -> Handler:
    """The unary method at this path, with its spans told to ``tracing``."""
    answer = handler.unary_unary
    assert answer is not None, "all methods of the server are unary"
    spans = Spans(tracing, path, header)

    def answer_traced(request: bytes, context: grpc.ServicerContext) -> bytes:
        span = spans.of(context)
        if span is None:
            return answer(request, context)
        with span:
            return answer(request, context)

    return grpc.unary_unary_rpc_method_handler(answer_traced)


def _code(context: grpc.ServicerContext) -> Code:
    # Of grpcio's contexts; there is none unless the call failed. Its stubs leave the method out.
    status = context.code()  # type: ignore[attr-defined]
    return Code.OK if status is None else Code(status.value[0])
