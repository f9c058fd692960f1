"""Single values out of documents that an older or a newer operator may have written."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

Object = Mapping[str, Any]


def at(value: Any, *path: str) -> Any:
    """What stands at the path; None where anything on the way is missing or no map."""
    for step in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(step)
    return value


def items(value: Any) -> tuple[Object, ...]:
    """The maps in a list; what is no list has none."""
    found = value if isinstance(value, list) else []
    return tuple(item for item in found if isinstance(item, Mapping))


def text(value: Any) -> str:
    """Printable words in one line; empty for what is no text.

    Messages come from pods, too, and must not be able to move a terminal's cursor.
    """
    if not isinstance(value, str):
        return ""
    return "".join(sign if sign.isprintable() else " " for sign in " ".join(value.split()))


def number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number else None


def whole(value: Any) -> int | None:
    found = number(value)
    return int(found) if found is not None and found == found // 1 else None


def moment(value: Any) -> datetime | None:
    """A time as the API writes it (RFC 3339)."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found and found.tzinfo is None else found
