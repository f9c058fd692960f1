"""A unary method whose calls wait without a thread, as ``unary`` makes one with a thread."""

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import grpc
from google.protobuf.message import DecodeError, Message

from model_server.api.grpc.unary import Answered, Counted, refuse
from model_server.core.errors import ServingError
from model_server.core.going_on import Awaited
from model_server.service.metrics.outcome import outcome

# What ``go_on`` does, to a serialized response.
Work = Callable[[], Coroutine[Awaited[Any], None, bytes]]
# The same, given the context of its call.
WorkOfCall = Callable[[grpc.ServicerContext], Coroutine[Awaited[Any], None, bytes]]
# The work for a call with this request; None if it has to be answered otherwise.
Waiting = Callable[[bytes], WorkOfCall | None]


def unary_waiting(
    request: type[Message],
    call: Callable[[Any], Work | None],
    counts: Counted,
    answered: Answered,
) -> Waiting:
    """See ``counted``. What is no request, or has no work by ``call``, is answered otherwise."""

    def waiting(data: bytes) -> WorkOfCall | None:
        try:
            parsed = request.FromString(data)
            work = call(parsed)
        except (DecodeError, ServingError):
            return None
        return None if work is None else partial(answer, data, parsed, work)

    async def answer(data: bytes, parsed: Any, work: Work, context: grpc.ServicerContext) -> bytes:
        try:
            requests = counts(parsed)
            with outcome(requests.end, requests.begin):
                response = await work()
            answered(parsed, response, len(data) + len(response))
            return response
        except Exception as error:
            refuse(context, error, request)

    return waiting
