"""What a REST request asks for, by its method and path.

Source: TensorFlow Serving ``model_servers/http_rest_api_util.cc``: the path is matched together
with its query, in any case; names and labels are percent-decoded after matching.
"""

import re
from dataclasses import dataclass
from urllib.parse import unquote

from model_server.core.errors import Code, ServingError
from model_server.service.model_spec import ModelSpec

# The actions that run a model.
INFERENCE = ("predict", "classify", "regress")

_WHICH = r"(?:(?:/versions/(\d+))|(?:/labels/([^/:]+)))?"
_INFERENCE = re.compile(
    rf"/v1/models/([^/:]+){_WHICH}:(classify|regress|predict)", re.IGNORECASE | re.ASCII
)
_MODEL = re.compile(rf"/v1/models(?:/([^/:]+))?{_WHICH}(?:/(metadata))?", re.IGNORECASE | re.ASCII)
_API = re.compile(r"/v1/.*", re.IGNORECASE | re.DOTALL)
_LARGEST_VERSION = str(2**63 - 1)


@dataclass(frozen=True)
class Route:
    """What to do (predict, classify, regress, status or metadata), with which model."""

    action: str
    spec: ModelSpec


def path_of(target: str) -> str:
    """The path and query of a target, which proxies send with scheme and host."""
    scheme, _, rest = target.partition("://")
    if scheme.lower() in ("http", "https"):
        return "/" + rest.partition("/")[2]
    return target


def is_api(path: str) -> bool:
    """Whether the path belongs to the API, so that even its errors are the API's."""
    return _API.fullmatch(path) is not None


def route(method: str, path: str) -> Route:
    """What the request asks for; ``path`` includes the query. Raises ServingError."""
    if method == "POST":
        match = _INFERENCE.fullmatch(path)
        # The pattern ignores case, the methods do not.
        if match and match[4] in ("predict", "classify", "regress"):
            return Route(match[4], _spec(match))
    elif method == "GET":
        match = _MODEL.fullmatch(path)
        if match:
            if not match[1]:
                raise ServingError(Code.INVALID_ARGUMENT, "Missing model name in request.")
            return Route("metadata" if match[4] else "status", _spec(match))
    raise ServingError(Code.INVALID_ARGUMENT, f"Malformed request: {method} {path}")


def _spec(match: re.Match[str]) -> ModelSpec:
    name, version, label = match[1], match[2], match[3]
    return ModelSpec(
        name=unquote(name, errors="surrogateescape"),
        version=None if version is None else _version(version),
        label=None if label is None else unquote(label, errors="surrogateescape"),
    )


def _version(text: str) -> int:
    digits = text.lstrip("0") or "0"
    # Compared as text, because Python refuses to read very long numbers.
    if (len(digits), digits) > (len(_LARGEST_VERSION), _LARGEST_VERSION):
        raise ServingError(Code.INVALID_ARGUMENT, f"Failed to convert version: {text} to numeric.")
    return int(digits)
