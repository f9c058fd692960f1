"""What runs beside the main model: variants that get a part of the requests, and the shadow."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from model_operator.domain.errors import InvalidSpec
from model_operator.domain.fields import mapping, whole
from model_operator.domain.manifests import Manifest
from model_operator.domain.routing.headers import HeaderMatch, parse_match
from model_operator.domain.wish.model import Model, parse_model

# The shadow is told apart by its name, which no variant can have.
SHADOW = "shadow"
_NAME = re.compile(r"[a-z]([-a-z0-9]{0,30}[a-z0-9])?")
# What one traffic record can hold; see contracts/traffic-record.schema.json.
_MOST_MATCHES = 32
_MOST_VARIANTS = 8


@dataclass(frozen=True)
class Arm:
    """A small override of the main model: another version of it, with pods of its own.

    `weight` is the percentage of all requests that a variant gets; `matches` are the headers, of
    which one is enough, that send a request to it. The shadow has neither: it gets copies of
    `copied_percent` of the requests, and what it answers is dropped.
    """

    name: str
    model: Model
    replicas: int = 1
    weight: int = 0
    matches: tuple[HeaderMatch, ...] = ()
    copied_percent: int = 0

    @property
    def is_shadow(self) -> bool:
        return self.name == SHADOW


@dataclass(frozen=True)
class MainModel:
    """What the arms override: `fields` are those of `spec.model`."""

    fields: Manifest
    name: str
    allows_node_paths: bool

    def with_override(self, parent: Manifest, path: str) -> Model:
        """The main model with the fields of `parent["model"]` in place of its own."""
        override = mapping(parent, f"{path}.model")
        if "name" in override:
            raise InvalidSpec(f"{path}.model.name", "is that of the main model: clients ask for it")
        whole(override.get("version"), f"{path}.model.version")
        return parse_model(
            self.fields | override, f"{path}.model", self.name, self.allows_node_paths
        )


def parse_variants(variants: Sequence[Any], main: MainModel) -> tuple[Arm, ...]:
    """The variants of `spec.variants`, in the order they are given in.

    Raises:
        InvalidSpec: with the path of the field.
    """
    path = "spec.variants"
    if len(variants) > _MOST_VARIANTS:
        raise InvalidSpec(path, f"may be {_MOST_VARIANTS}, not {len(variants)}")
    found = tuple(_variant(item, f"{path}[{place}]", main) for place, item in enumerate(variants))
    if len({variant.name for variant in found}) < len(found):
        raise InvalidSpec(path, "a name is there twice")
    if sum(variant.weight for variant in found) > 99:
        raise InvalidSpec(path, "weights may be 99 together; the rest is the main model's")
    if sum(len(variant.matches) for variant in found) > _MOST_MATCHES:
        raise InvalidSpec(path, f"may have {_MOST_MATCHES} matches together")
    return found


def parse_shadow(shadow: Manifest, main: MainModel) -> Arm:
    """The shadow of `spec.shadow`.

    Raises:
        InvalidSpec: with the path of the field.
    """
    path = "spec.shadow"
    return Arm(
        name=SHADOW,
        model=main.with_override(shadow, path),
        replicas=whole(shadow.get("replicas", 1), f"{path}.replicas"),
        copied_percent=whole(shadow.get("percent"), f"{path}.percent", 0, 100),
    )


def _variant(variant: Manifest, path: str, main: MainModel) -> Arm:
    name = variant.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name == SHADOW:
        raise InvalidSpec(f"{path}.name", f"{name!r} cannot be the name of a variant")
    if ("weight" in variant) == ("match" in variant):
        raise InvalidSpec(path, "has either weight or match")
    matches = enumerate(variant.get("match") or ())
    return Arm(
        name=name,
        model=main.with_override(variant, path),
        replicas=whole(variant.get("replicas", 1), f"{path}.replicas"),
        weight=whole(variant.get("weight", 0), f"{path}.weight", 0, 99),
        matches=tuple(parse_match(item, f"{path}.match[{place}]") for place, item in matches),
    )
