"""What the REST port answers without the API: health, metrics, preflights, and to strangers."""

import json
from collections.abc import Callable
from dataclasses import dataclass

from model_server.api.codes import headers_of, http_status
from model_server.api.rest import json_writer, routes
from model_server.core.errors import Code, ServingError
from model_server.service.readiness import Readiness

JSON = "application/json"
_TEXT = "text/plain; charset=utf-8"
# What a client is told of a fault of ours.
FAULT = ServingError(Code.INTERNAL, "Internal error; see the server's log")
_STRANGER = (
    "This server answers clients that show a certificate only;"
    " without one, /healthz and /readyz can be asked"
)


@dataclass(frozen=True)
class Watch:
    """What those who watch a server see; ``metrics_path`` is None where metrics are turned off."""

    readiness: Callable[[], Readiness]
    models: Callable[[], str]
    metrics: Callable[[], str] = str
    metrics_path: str | None = None


@dataclass(frozen=True)
class Page:
    """A whole answer."""

    status: int
    text: str
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def body(self) -> bytes:
        """The text as it is sent; names that are no UTF-8 go back as they came."""
        return self.text.encode("utf-8", "surrogateescape")


@dataclass(frozen=True)
class Visit:
    """Who asks for what: ``path`` includes the query; a stranger showed no certificate."""

    method: str
    path: str
    origin: str
    is_stranger: bool


def page(watch: Watch, visit: Visit) -> Page | None:
    """The answer; None where it is the API that answers."""
    path = visit.path
    if path == "/healthz":
        return Page(200, "ok", _TEXT)
    if path == "/readyz":
        return _ready(watch.readiness())
    if visit.is_stranger:
        return refusal(ServingError(Code.UNAUTHENTICATED, _STRANGER))
    if path == "/models":
        # Not under /v1, where TensorFlow Serving's own tests want an error.
        return Page(200, watch.models())
    if watch.metrics_path and path.partition("?")[0] == watch.metrics_path:
        return _metrics(watch, path)
    if not routes.is_api(path):
        return Page(404, "Not Found: the API is under /v1/models\n", _TEXT)
    if visit.method == "OPTIONS":
        known = "http://" in visit.origin or "https://" in visit.origin
        return Page(200 if known else 400, "")
    return None


def refusal(error: ServingError) -> Page:
    """The answer to what failed."""
    text = json_writer.error_body(error.message)
    return Page(http_status(error.code), text, headers=headers_of(error))


def _metrics(watch: Watch, path: str) -> Page:
    if path != watch.metrics_path:
        problem = f"Unexpected path: {path}. Should be {watch.metrics_path}"
        return Page(400, problem, _TEXT)
    return Page(200, watch.metrics(), "text/plain")


def _ready(readiness: Readiness) -> Page:
    return Page(200 if readiness.ready else 503, json.dumps(readiness.as_json()) + "\n")
