"""How a call of the native transport is answered by a handler that was made for grpcio."""

from collections.abc import Callable, Iterator
from typing import Any

import grpc

from model_server.api.grpc.native.call_context import CallContext

Answer = Callable[[Any, CallContext], None]


class Registry:
    """Stands where services expect a ``grpc.Server`` to register with; collects their methods."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}

    def add_generic_rpc_handlers(self, handlers: Any) -> None:
        """Takes what services were always registered by; its methods come by the other way, too."""

    def add_registered_method_handlers(self, service: str, handlers: dict[str, Any]) -> None:
        """Takes the methods of a service, by their names."""
        for name, handler in handlers.items():
            self.answers[f"/{service}/{name}"] = answer_of(handler)


def answer_of(handler: Any) -> Answer:
    """What answers a call by this ``grpc.RpcMethodHandler``."""
    if handler.stream_unary is not None:
        return lambda call, context: call.answer(
            handler.response_serializer(handler.stream_unary(_sent(call, handler), context))
        )
    if handler.stream_stream is not None:
        if getattr(handler.stream_stream, "experimental_non_blocking", False):
            return lambda call, context: handler.stream_stream(
                _sent(call, handler), context, _sender(call, handler)
            )
        return lambda call, context: _stream(call, context, handler)
    raise ValueError("a method that is neither stream_unary nor stream_stream")


def _sent(call: Any, handler: Any) -> Iterator[Any]:
    """The messages of a call, which may be waited for."""
    message = call.message()
    while message is not None:
        try:
            parsed = handler.request_deserializer(message)
        except Exception:
            # As grpcio: whatever a deserializer does not like.
            call.fail(grpc.StatusCode.INTERNAL.value[0], "Exception deserializing request!")
            return
        yield parsed
        message = call.next()


def _sender(call: Any, handler: Any) -> Callable[[Any], None]:
    def send(response: Any) -> None:
        if response is None:
            call.finish()
        elif not call.send(handler.response_serializer(response), False):
            # It is gone, or does not read.
            call.fail(grpc.StatusCode.CANCELLED.value[0], "The client does not read its answers")

    return send


def _stream(call: Any, context: CallContext, handler: Any) -> None:
    for response in handler.stream_stream(_sent(call, handler), context):
        if not call.send(handler.response_serializer(response), True):
            return
    call.finish()
