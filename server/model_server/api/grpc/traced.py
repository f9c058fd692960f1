"""A gRPC method with a span around each call, in the trace that the call's metadata names."""

from collections.abc import Callable
from typing import Any

import grpc

from model_server.api.codes import is_fault
from model_server.api.grpc.unary import Handler
from model_server.core.errors import Code
from model_server.telemetry import trace_context
from model_server.telemetry.tracing import NO_TRACING, Asked, Tracing

# What a call's metadata says by a name.
Header = Callable[[Any, str], str | None]


def traced(tracing: Tracing, path: str, handler: Handler, header: Header) -> Handler:
    """The unary method at this path, with its spans told to ``tracing``."""
    answer = handler.unary_unary
    assert answer is not None, "all methods of the server are unary"
    name = path.lstrip("/")
    service, _, method = name.rpartition("/")
    about = {"rpc.system": "grpc", "rpc.service": service, "rpc.method": method}

    def answer_traced(request: bytes, context: grpc.ServicerContext) -> bytes:
        text = header(context, trace_context.HEADER)
        state = text and header(context, trace_context.STATE_HEADER)
        parent = trace_context.parse(text, state or "") if text else None
        if parent is None and tracing is NO_TRACING:
            # What most servers do must cost them nothing.
            return answer(request, context)
        with tracing.request(Asked(name, parent, about)) as span:
            try:
                return answer(request, context)
            finally:
                code = _code(context)
                span.set({"rpc.grpc.status_code": int(code)})
                if is_fault(code):
                    span.fail(code.name)

    return grpc.unary_unary_rpc_method_handler(answer_traced)


def _code(context: grpc.ServicerContext) -> Code:
    # Of grpcio's contexts; there is none unless the call failed. Its stubs leave the method out.
    status = context.code()  # type: ignore[attr-defined]
    return Code.OK if status is None else Code(status.value[0])
