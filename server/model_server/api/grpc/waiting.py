"""A unary method whose calls wait without a thread, as ``unary`` makes one with a thread."""

from collections.abc import Callable, Coroutine
from contextlib import nullcontext
from functools import partial
from typing import Any

import grpc
from google.protobuf.message import DecodeError, Message

from model_server.api.grpc.unary import Answered, Recorded, refuse
from model_server.core.errors import ServingError
from model_server.core.going_on import Awaited

# What ``go_on`` does, to a serialized response.
Work = Callable[[], Coroutine[Awaited[Any], None, bytes]]
# The same, given the context of its call.
WorkOfCall = Callable[[grpc.ServicerContext], Coroutine[Awaited[Any], None, bytes]]
# The work for a call with this request; None if it has to be answered otherwise.
Waiting = Callable[[bytes], WorkOfCall | None]


def unary_waiting(
    request: type[Message],
    call: Callable[[Any], Work | None],
    recorded: Recorded = lambda _request: nullcontext(),
    answered: Answered = lambda _request, _response, _size: None,
) -> Waiting:
    """See ``unary``. What is no request, or has no work by ``call``, is answered otherwise."""

    def waiting(data: bytes) -> WorkOfCall | None:
        try:
            parsed = request.FromString(data)
            work = call(parsed)
        except (DecodeError, ServingError):
            return None
        return None if work is None else partial(answer, data, parsed, work)

    async def answer(data: bytes, parsed: Any, work: Work, context: grpc.ServicerContext) -> bytes:
        try:
            with recorded(parsed):
                response = await work()
            answered(parsed, response, len(data) + len(response))
            return response
        except Exception as error:
            refuse(context, error, request)

    return waiting
