"""A gRPC method with a span around each call, in the trace that the call's metadata names."""

import grpc

from model_server.api.codes import is_fault
from model_server.api.grpc.unary import Handler
from model_server.core.errors import Code
from model_server.telemetry import trace_context
from model_server.telemetry.trace_context import TraceContext
from model_server.telemetry.tracing import NO_TRACING, Asked, Tracing


def traced(tracing: Tracing, path: str, handler: Handler) -> Handler:
    """The unary method at this path, with its spans told to ``tracing``."""
    answer = handler.unary_unary
    assert answer is not None, "all methods of the server are unary"
    name = path.lstrip("/")
    service, _, method = name.rpartition("/")
    about = {"rpc.system": "grpc", "rpc.service": service, "rpc.method": method}

    def answer_traced(request: bytes, context: grpc.ServicerContext) -> bytes:
        parent = _parent(context)
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


def _parent(context: grpc.ServicerContext) -> TraceContext | None:
    header = state = ""
    for name, text in context.invocation_metadata():
        if name == trace_context.HEADER:
            header = str(text)
        elif name == trace_context.STATE_HEADER:
            state = str(text)
    return trace_context.parse(header, state) if header else None


def _code(context: grpc.ServicerContext) -> Code:
    # Of grpcio's contexts; there is none unless the call failed. Its stubs leave the method out.
    status = context.code()  # type: ignore[attr-defined]
    return Code.OK if status is None else Code(status.value[0])
