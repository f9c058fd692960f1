"""The body of an HTTP request, read within bounds of size and of time."""

import asyncio
import zlib
from collections.abc import Callable

from aiohttp import HttpVersion11, web
from aiohttp.client_exceptions import ClientPayloadError

from model_server.api.codes import http_status
from model_server.api.rest.listening import BodyLimits
from model_server.core.errors import Code, ServingError

# TensorFlow Serving's limit on what a compressed body may inflate to.
_LARGEST_INFLATED = 100 * 2**20


class BodyRefused(Exception):
    """A body that is not read to its end; the connection cannot be used any more."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


async def read(request: web.BaseRequest, limits: BodyLimits, more: Callable[[int], None]) -> bytes:
    """The whole body as it was sent; ``more`` is told of its bytes, and may raise ServingError.

    Raises BodyRefused; ConnectionError if the client is gone.
    """
    _check_size(request.content_length or 0, limits)
    await _invite(request)
    began = asyncio.get_running_loop().time()
    # One buffer, because joining chunks would hold a large body twice.
    body = bytearray()
    try:
        while True:
            until = began + limits.patience + len(body) / limits.slowest
            async with asyncio.timeout_at(until):
                chunk = await request.content.readany()
            if not chunk:
                return bytes(body)
            more(len(chunk))
            body += chunk
            _check_size(len(body), limits)
    except TimeoutError:
        raise BodyRefused(
            408,
            f"Only {len(body)} bytes of the request's body came within"
            f" {until - began:.3g} seconds; the connection is closed",
        ) from None
    except (ClientPayloadError, web.RequestPayloadError) as error:
        raise BodyRefused(400, f"The request's body is broken: {error}") from error
    except ServingError as error:
        raise BodyRefused(http_status(error.code), error.message) from error


async def _invite(request: web.BaseRequest) -> None:
    """Tells a client to send its body if it waits to be told, as curl does with a large one."""
    waits = request.headers.get("Expect", "").lower() == "100-continue"
    if waits and request.version >= HttpVersion11:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        # The answer itself has not begun.
        request.writer.output_size = 0


def _check_size(size: int, limits: BodyLimits) -> None:
    if size > limits.bytes:
        raise BodyRefused(
            413,
            f"The request's body is larger than the {limits.bytes} bytes of"
            " --rest_api_max_body_bytes",
        )


def plain(body: bytes, limits: BodyLimits, *, zipped: bool) -> tuple[bytes, int]:
    """The body unzipped, and about how many JSON values it has.

    Raises ServingError, INVALID_ARGUMENT, for more values than the limit. Counts what separates and
    opens them, which is quick, and the commas of strings with them.
    """
    if zipped:
        body = inflated(body)
    count = body.count(b",") + body.count(b"[") + body.count(b"{")
    if count > limits.values:
        raise ServingError(
            Code.INVALID_ARGUMENT,
            f"The request's body has about {count} JSON values, and {limits.values} are the limit"
            " of --rest_api_max_json_values; send large tensors over gRPC",
        )
    return body, count


def inflated(body: bytes) -> bytes:
    """The body unzipped; one that is broken or too large counts as empty, as upstream."""
    unzip = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        plain = unzip.decompress(body, _LARGEST_INFLATED)
    except zlib.error:
        return b""
    return plain if unzip.eof else b""
