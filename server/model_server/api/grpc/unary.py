"""A unary method as bytes in, bytes out: parse, call, serialize, and errors as gRPC statuses."""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, NoReturn

import grpc
from google.protobuf.message import DecodeError, EncodeError, Message

from model_server.api.codes import details, grpc_status, headers_of
from model_server.core.errors import ServingError

_log = logging.getLogger(__name__)

# grpc's stubs make it generic, grpc itself does not.
if TYPE_CHECKING:
    Handler = grpc.RpcMethodHandler[bytes, bytes]
    GenericHandler = grpc.GenericRpcHandler[bytes, bytes]
else:
    Handler = grpc.RpcMethodHandler
    GenericHandler = grpc.GenericRpcHandler


# Given the request, the response serialized, and the size of both in bytes.
Answered = Callable[[Any, bytes, int], None]
Recorded = Callable[[Any], AbstractContextManager[None]]


def serializing(call: Callable[[Any], Message]) -> Callable[[Any], bytes]:
    """The same call for ``unary``."""
    return lambda request: call(request).SerializeToString()


def unary(
    request: type[Message],
    call: Callable[[Any], bytes],
    recorded: Recorded = lambda _request: nullcontext(),
    answered: Answered = lambda _request, _response, _size: None,
) -> Handler:
    """A handler that parses a ``request``; ``call`` makes a serialized response of it.

    ``recorded`` surrounds the call, given the request; ``answered`` is told of those that succeed.
    """

    def answer(data: bytes, _context: grpc.ServicerContext) -> bytes:
        parsed = request.FromString(data)
        with recorded(parsed):
            answer = call(parsed)
        answered(parsed, answer, len(data) + len(answer))
        return answer

    return _handler(request, answer)


def with_context(
    request: type[Message], call: Callable[[Any, grpc.ServicerContext], Message]
) -> Handler:
    """The same, for a ``call`` that takes long and so must see whether its client is gone."""
    return _handler(
        request,
        lambda data, context: call(request.FromString(data), context).SerializeToString(),
    )


def _handler(
    request: type[Message], answer: Callable[[bytes, grpc.ServicerContext], bytes]
) -> Handler:
    def handle(data: bytes, context: grpc.ServicerContext) -> bytes:
        try:
            return answer(data, context)
        except Exception as error:
            refuse(context, error, request)

    return grpc.unary_unary_rpc_method_handler(handle)


def refuse(context: grpc.ServicerContext, error: Exception, request: type[Message]) -> NoReturn:
    """Ends a call with this ``request`` by what was raised for it, which is being handled."""
    if isinstance(error, ServingError):
        if said := headers_of(error):
            context.set_trailing_metadata(said)
        context.abort(grpc_status(error.code), details(error.message))
    if isinstance(error, DecodeError):
        name = request.DESCRIPTOR.full_name
        context.abort(grpc.StatusCode.INTERNAL, f"The request is no {name}")
    if isinstance(error, EncodeError):
        context.abort(
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "The answer is larger than the 2 GiB that a message can hold",
        )
    # The outermost frame of a request: a fault of ours must not reach the client as text.
    _log.exception("a request failed unexpectedly")
    context.abort(grpc.StatusCode.INTERNAL, "Internal error; see the server's log")
