"""Fields of a spec: read as what they should be, or refused by their path."""

from typing import Any

from model_operator.domain.errors import InvalidSpec
from model_operator.domain.manifests import Manifest


def mapping(parent: Manifest, path: str) -> Manifest:
    """The field of `parent` that the last word of `path` names.

    Raises:
        InvalidSpec: it is absent or no mapping.
    """
    value = parent.get(path.rpartition(".")[2])
    if not isinstance(value, dict):
        raise InvalidSpec(path, "is required")
    return value


def whole(value: Any, path: str, lowest: int = 0, highest: int | None = None) -> int:
    """A whole number within bounds.

    Raises:
        InvalidSpec: it is another kind of value, or out of bounds.
    """
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if is_whole and value >= lowest and (highest is None or value <= highest):
        return int(value)
    bounds = f"{lowest} or more" if highest is None else f"from {lowest} to {highest}"
    raise InvalidSpec(path, f"must be a whole number, {bounds}")
