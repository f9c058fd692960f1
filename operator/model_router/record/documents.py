"""How a JSON document is taken apart, with errors that name the field."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from typing import Any

MOST_BYTES = 1 << 20  # what Kubernetes lets a ConfigMap hold
_HEADER = re.compile(r"[a-z0-9][-a-z0-9]{0,63}")
_VALUE = re.compile(r"[ -~]{1,256}")
NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")


class InvalidDocument(Exception):
    """A document that says something it may not; the message begins with the field's path."""


def load(text: bytes) -> dict[str, Any]:
    """The object that `text` holds as JSON; raises InvalidDocument."""
    if len(text) > MOST_BYTES:
        raise InvalidDocument(f"document: {len(text)} bytes, at most {MOST_BYTES} are read")
    try:
        return mapping(json.loads(text), "document")
    except (ValueError, RecursionError) as error:
        raise InvalidDocument(f"document: not JSON ({error})") from error


def mapping(value: Any, path: str) -> dict[str, Any]:
    """`value` if it is a JSON object; raises InvalidDocument."""
    if not isinstance(value, dict):
        raise InvalidDocument(f"{path}: must be an object, is {_shown(value)}")
    return value


def fields(
    value: dict[str, Any], path: str, known: Collection[str], optional: Collection[str] = ()
) -> None:
    """Check that the `known` fields are there, and none but `optional` ones; InvalidDocument.

    An unknown field may mean something that this router would not do, so it is refused.
    """
    prefix = f"{path}." if path else ""
    for name in known:
        if name not in value:
            raise InvalidDocument(f"{prefix}{name}: is missing")
    for name in value:
        if name not in known and name not in optional:
            raise InvalidDocument(f"{prefix}{str(name)[:80]}: is not a field of this document")


def schema(value: dict[str, Any], supported: int) -> None:
    """Check the document's version; raises InvalidDocument."""
    found = value.get("schema")
    if found != supported or isinstance(found, bool):
        raise InvalidDocument(
            f"schema: is {_shown(found)}, this router reads {supported}; "
            "a newer operator needs a newer router"
        )


def whole_number(value: Any, path: str, least: int, most: int) -> int:
    """`value` if it is an integer from `least` to `most`; raises InvalidDocument."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise InvalidDocument(
            f"{path}: must be a whole number from {least} to {most}, is {_shown(value)}"
        )
    return value


def items(value: Any, path: str, least: int, most: int) -> list[Any]:
    """`value` if it is a list of `least` to `most` items; raises InvalidDocument."""
    if not isinstance(value, list) or not least <= len(value) <= most:
        found = f"{len(value)} items" if isinstance(value, list) else _shown(value)
        raise InvalidDocument(f"{path}: must be a list of {least} to {most} items, is {found}")
    return value


def dns_label(value: Any, path: str) -> str:
    """`value` if Kubernetes would take it as a Service's name; raises InvalidDocument."""
    if not isinstance(value, str) or len(value) > 63 or not NAME.fullmatch(value):
        raise InvalidDocument(
            f"{path}: must be a name of lower case letters, digits and '-', is {_shown(value)}"
        )
    return value


def header_name(value: Any, path: str) -> str:
    """`value` if it is the name of a header or of gRPC metadata; raises InvalidDocument."""
    if not isinstance(value, str) or not _HEADER.fullmatch(value):
        raise InvalidDocument(
            f"{path}: must be a header's name in lower case letters, digits and '-', at most 64, "
            f"is {_shown(value)}"
        )
    return value


def header_value(value: Any, path: str) -> str:
    """`value` if a header could have it, or it is an expression for one; raises InvalidDocument."""
    if not isinstance(value, str) or not _VALUE.fullmatch(value):
        raise InvalidDocument(
            f"{path}: must be 1 to 256 printable ASCII characters, is {_shown(value)}"
        )
    return value


def _shown(value: Any) -> str:
    shown = json.dumps(value)
    return shown if len(shown) <= 80 else f"{shown[:77]}..."
