"""How the members of a group stand to each other, and to other groups, on labelled nodes."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from model_operator.domain import names
from model_operator.domain.errors import InvalidSpec
from model_operator.domain.manifests import Manifest

_LABEL = re.compile(
    r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
)


class Mode(StrEnum):
    """PACK: all members in one domain. EXCLUSIVE: the same, and no other group in that domain.

    SPREAD: no two members in one domain.
    """

    PACK = "Pack"
    SPREAD = "Spread"
    EXCLUSIVE = "Exclusive"

    @property
    def is_together(self) -> bool:
        return self is not Mode.SPREAD


@dataclass(frozen=True)
class Topology:
    """Nodes with the same value of the label `key` are one domain; those without it are in none."""

    key: str
    mode: Mode


def parse_topology(given: Any, path: str) -> Topology:
    """The topology of a spec.

    Raises:
        InvalidSpec: with the field and what to do about it.
    """
    if not isinstance(given, dict):
        raise InvalidSpec(path, "give a key and a mode")
    key, mode = given.get("key"), given.get("mode")
    if not isinstance(key, str) or not _LABEL.fullmatch(key):
        raise InvalidSpec(f"{path}.key", f"{key!r} cannot be the label of a node")
    if mode not in set(Mode):
        raise InvalidSpec(f"{path}.mode", f"use {', '.join(Mode)}")
    return Topology(key, Mode(mode))


def annotations_of(topology: Topology) -> dict[str, str]:
    """How a pod template tells of it."""
    return {names.TOPOLOGY_ANNOTATION: f"{topology.mode} {topology.key}"}


def topology_of(template: Manifest) -> Topology | None:
    """That of the pods made from a template."""
    annotations = template["metadata"].get("annotations") or {}
    mode, _, key = annotations.get(names.TOPOLOGY_ANNOTATION, "").partition(" ")
    return Topology(key, Mode(mode)) if mode else None
