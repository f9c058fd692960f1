"""A unary method as bytes in, bytes out: parse, call, serialize, and errors as gRPC statuses."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

import grpc
from google.protobuf.message import DecodeError, EncodeError, Message

from model_server.api.codes import details, grpc_status, headers_of
from model_server.core.errors import Code, ServingError
from model_server.service.metrics.outcome import code_of
from model_server.service.metrics.requests import Requests

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
# Given the request, what counts those like it.
Counted = Callable[[Any], Requests]


def serializing(call: Callable[[Any], Message]) -> Callable[[Any], bytes]:
    """The same call for ``unary``."""
    return lambda request: call(request).SerializeToString()


def unary(request: type[Message], call: Callable[[Any], bytes]) -> Handler:
    """A handler that parses a ``request``; ``call`` makes a serialized response of it."""
    return _handler(request, lambda data, _context: call(request.FromString(data)))


def counted(
    request: type[Message], call: Callable[[Any], bytes], counts: Counted, answered: Answered
) -> Handler:
    """The same, with what ``counts`` the requests; ``answered`` is told of those that succeed."""

    def answer(data: bytes, _context: grpc.ServicerContext) -> bytes:
        parsed = request.FromString(data)
        requests = counts(parsed)
        began = requests.begin()
        try:
            answer = call(parsed)
        except BaseException as error:
            requests.end(code_of(error), began)
            raise
        requests.end(Code.OK, began)
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
