"""How signatures are answered by the extension modelfleet-transport, without Python."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Bundles:
    """Of so many rows at most; ``bell``, a ``modelfleet_transport.Bell``, has them called."""

    most_rows: int
    bell: Any


@dataclass(frozen=True)
class Terms:
    """How the signatures of a model are answered directly.

    ``model_spec``, serialized, is what answers say of who gave them, ``as_content`` as in
    ``tensors.encode``. Requests are quick below ``quick`` seconds. ``bounds`` are those of
    latencies, and of the graph's run times, in microseconds. Where ``bundles`` are given, requests
    gather in ``modelfleet_transport.Bundle``s, and ``take`` is given those that are called.
    """

    model: str
    model_spec: bytes
    as_content: bool
    quick: float
    bounds: tuple[tuple[float, ...], tuple[float, ...]]
    take: Callable[[Any], None]
    bundles: Bundles | None = None
