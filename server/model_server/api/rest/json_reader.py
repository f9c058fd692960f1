"""How a request body becomes Python values: fast where Python's parser agrees, else exact."""

import json
import re
from typing import Any

from model_server.api.rest.json_scanner import JsonError, scan

__all__ = ["JsonError", "read"]

_SPACE = re.compile(r"[ \n\r\t]*")
# Python reads numbers as infinity that RapidJSON calls too big, and keeps lone surrogates.
_LARGE_EXPONENT = re.compile(r"[eE]\+?[0-9]{3}")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def _first_wins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    return members if len(members) == len(pairs) else dict(reversed(pairs))


_decoder = json.JSONDecoder(object_pairs_hook=_first_wins)


def read(body: bytes) -> Any:
    """The first JSON value of a request body; strings are decoded with ``surrogateescape``.

    What follows the value is ignored, ``NaN`` and ``Infinity`` are numbers, of an object's equal
    keys the first one counts. Raises JsonError with TensorFlow Serving's message.
    """
    if not body:
        raise JsonError("The document is empty")
    text = body.decode("utf-8", "surrogateescape")
    if _parsers_agree(text):
        start = _SPACE.match(text).end()  # type: ignore[union-attr]  # it matches the empty text too
        try:
            return _decoder.raw_decode(text, start)[0]
        except (ValueError, RecursionError):
            pass
    return scan(body)


def _parsers_agree(text: str) -> bool:
    if "\0" in text or _LARGE_EXPONENT.search(text):
        return False
    return "\\u" not in text or _SURROGATE.search(text) is None
