"""TPU slices of GKE: how many chips and hosts a type and a topology have.

Source: cloud.google.com/kubernetes-engine/docs/concepts/plan-tpus.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

_TOPOLOGY = re.compile(r"[1-9][0-9]{0,2}(x[1-9][0-9]{0,2}){1,2}")
_CHIPS_OF_HOST_IN_SLICE = 4

# Slices of one host, by topology.
_PLANE: Mapping[str, int] = {"1x1": 1, "2x2": 4, "2x4": 8}
_CUBE: Mapping[str, int] = {"2x2x1": 4}
_ONE_HOST: Mapping[str, Mapping[str, int]] = {
    "tpu-v4-podslice": _CUBE,
    "tpu-v5-lite-device": _PLANE,
    "tpu-v5-lite-podslice": _PLANE,
    "tpu-v5p-slice": _CUBE,
    "tpu-v6e-slice": _PLANE,
    "tpu7x": {"1x1x1": 1, **_CUBE},
}
TYPES = tuple(_ONE_HOST)
# Slices of several hosts. Those of cubes beyond 64 chips follow a rule.
_PLANES = ("2x4", "4x4", "4x8", "8x8", "8x16", "16x16")
_CUBES = ("2x2x2", "2x2x4", "2x4x4", "4x4x4")
_ALWAYS_ONE_HOST = frozenset({"tpu-v5-lite-device"})


@dataclass(frozen=True)
class Slice:
    """Chips that are wired together; each host of them is one pod, with all its chips."""

    type: str
    topology: str
    hosts: int
    chips_per_host: int


def one_host_topologies(type_: str) -> tuple[str, ...]:
    return tuple(_ONE_HOST[type_])


def slices(type_: str, topology: str) -> tuple[Slice, ...]:
    """The slices with that name, that of one host first; empty when there is none.

    2x4 is twofold: one machine of 8 chips, or two of 4.
    """
    of_one = _ONE_HOST[type_].get(topology)
    one = (Slice(type_, topology, 1, of_one),) if of_one else ()
    if not _spans_hosts(type_, topology):
        return one
    hosts = chips(topology) // _CHIPS_OF_HOST_IN_SLICE
    return (*one, Slice(type_, topology, hosts, _CHIPS_OF_HOST_IN_SLICE))


def _spans_hosts(type_: str, topology: str) -> bool:
    if type_ in _ALWAYS_ONE_HOST or not _TOPOLOGY.fullmatch(topology):
        return False
    if _ONE_HOST[type_] is _PLANE:
        return topology in _PLANES
    return topology in _CUBES or _is_large_cube(topology)


def _is_large_cube(topology: str) -> bool:
    sides = [int(side) for side in topology.split("x")]
    rises = sides == sorted(sides) and all(side % 4 == 0 for side in sides)
    return len(sides) == 3 and rises and chips(topology) > 64


def chips(topology: str) -> int:
    """How many a topology has, as in 2x4."""
    return math.prod(int(side) for side in topology.split("x"))
