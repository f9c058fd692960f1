"""How a request body becomes Python values: fast where a parser agrees, else exact."""

import json
import re
from typing import Any

import orjson

from model_server.api.rest.json_scanner import JsonError, OutOfSteps, scan

__all__ = ["JsonError", "read"]

# Of the largest integer, with its sign; Python refuses to read very long ones.
_DIGITS = 20
_SPACE = re.compile(r"[ \n\r\t]*")
_LARGE_EXPONENT = re.compile(r"[eE]\+?[0-9]{3}")
# Half of a surrogate pair, or what may look like a whole one because a backslash was escaped.
_LONE_SURROGATE = re.compile(
    r"\\\\u[dD][89a-fA-F]"
    r"|\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    r"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F]"
)


def _first_wins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    return members if len(members) == len(pairs) else dict(reversed(pairs))


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        # Python reads as infinity what RapidJSON calls too big.
        raise ValueError("the number is too big")
    return number


def _whole(text: str) -> int | float:
    number = int(text) if len(text) <= _DIGITS else 2**64
    return number if -(2**63) <= number < 2**64 else _finite(text)


_decoder = json.JSONDecoder(object_pairs_hook=_first_wins, parse_int=_whole)
_careful_decoder = json.JSONDecoder(
    object_pairs_hook=_first_wins, parse_int=_whole, parse_float=_finite
)


def _plain(body: bytes) -> Any:
    """The value of a body that is strict JSON; None where it may be, or means something else.

    orjson agrees with RapidJSON on what it accepts, but of equal keys it takes the last. There are
    none where all strings of the body are among those that came out.
    """
    try:
        value = orjson.loads(body)
        return value if body.count(b'"') == 2 * _strings(value) else None
    except (orjson.JSONDecodeError, RecursionError):
        return None


def _strings(value: Any) -> int:
    """How many strings it has, names included, those in lists left out."""
    if type(value) is dict:
        return len(value) + sum(map(_strings, value.values()))
    return int(type(value) is str)


def read(body: bytes) -> Any:
    """The first JSON value of a request body; strings are decoded with ``surrogateescape``.

    What follows the value is ignored, ``NaN`` and ``Infinity`` are numbers, of an object's equal
    keys the first one counts. Raises JsonError with TensorFlow Serving's message, or a message that
    is less exact where finding that out would take too long.
    """
    if not body:
        raise JsonError("The document is empty")
    if (plain := _plain(body)) is not None:
        return plain
    # A NUL ends the document, a byte order mark does not begin it.
    text = body.partition(b"\0")[0].decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    refusal = "it has half a surrogate pair"
    if "\\u" not in text or _LONE_SURROGATE.search(text) is None:
        decoder = _careful_decoder if _LARGE_EXPONENT.search(text) else _decoder
        start = _SPACE.match(text).end()  # type: ignore[union-attr]  # it matches the empty text too
        try:
            return decoder.raw_decode(text, start)[0]
        except RecursionError:
            refusal = "it is nested too deeply"
        except json.JSONDecodeError as error:
            refusal = f"{error.msg} at character {error.pos}"
        except ValueError as error:
            refusal = str(error)
    try:
        return scan(body)
    except OutOfSteps as error:
        raise JsonError(f"The document is no strict JSON: {refusal}") from error
