"""The accelerators that a user asks for, as typed values or as what is wrong with the wish."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from model_operator.domain.errors import InvalidSpec
from model_operator.domain.manifests import Manifest
from model_operator.domain.placement.tpu import TYPES, Slice, one_host_topologies, slices

TPU_RESOURCE = "google.com/tpu"
_PATH = "spec.accelerator"
_RESOURCE = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?/[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_LABEL_VALUE = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
# Whose nodes bear a label for the product.
_WITH_PRODUCTS = ("nvidia.com/", "amd.com/", "aws.amazon.com/")
_SHARED = re.compile(r"nvidia\.com/gpu(\.shared)?")


class Strategy(StrEnum):
    """How several pods use one GPU."""

    TIME_SLICING = "TimeSlicing"
    MPS = "MPS"


@dataclass(frozen=True)
class Sharing:
    """A GPU that so many clients share; each gets a place on it."""

    strategy: Strategy
    clients: int


@dataclass(frozen=True)
class Accelerator:
    """What each pod takes: so many of an extended resource, of a certain product if given."""

    resource: str
    count: int
    product: str | None = None
    sharing: Sharing | None = None
    tpu: Slice | None = None


def parse_accelerator(given: Manifest, shards: int | None = None) -> Accelerator:
    """The accelerator part of a spec.

    Args:
        given: what stands there.
        shards: the pods of one copy of the model, None where each pod holds the whole of it.

    Raises:
        InvalidSpec: with the field and what to do about it.
    """
    resource = given.get("resource")
    if not isinstance(resource, str) or not _is_extended(resource):
        raise InvalidSpec(f"{_PATH}.resource", "name an extended resource, as in nvidia.com/gpu")
    tpu = _tpu(given, resource, shards)
    count = _count(given.get("count", tpu.chips_per_host if tpu else 1), f"{_PATH}.count")
    return Accelerator(
        resource=resource,
        count=count,
        product=_product(given, resource),
        sharing=_sharing(given, resource, count),
        tpu=tpu,
    )


def _is_extended(resource: str) -> bool:
    domain = resource.partition("/")[0]
    is_native = domain == "kubernetes.io" or domain.endswith(".kubernetes.io")
    return bool(_RESOURCE.fullmatch(resource)) and not is_native


def _count(value: Any, path: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise InvalidSpec(path, "must be a whole number, 1 or more")
    return value


def _product(given: Manifest, resource: str) -> str | None:
    product = given.get("product")
    if product is None:
        return None
    field = f"{_PATH}.product"
    if not isinstance(product, str) or not _LABEL_VALUE.fullmatch(product):
        raise InvalidSpec(field, f"{product!r} cannot be the value of a node's label")
    if not resource.startswith(_WITH_PRODUCTS):
        raise InvalidSpec(field, f"no node label is known for {resource}; use nodeSelector")
    return product


def _sharing(given: Manifest, resource: str, count: int) -> Sharing | None:
    sharing, field = given.get("sharing"), f"{_PATH}.sharing"
    if sharing is None:
        return None
    if not isinstance(sharing, dict) or sharing.get("strategy") not in set(Strategy):
        raise InvalidSpec(f"{field}.strategy", "use TimeSlicing or MPS")
    clients = _count(sharing.get("clients"), f"{field}.clients")
    if not _SHARED.fullmatch(resource) or count != 1:
        raise InvalidSpec(field, "is for one nvidia.com/gpu or nvidia.com/gpu.shared in each pod")
    return Sharing(Strategy(sharing["strategy"]), clients)


def _tpu(given: Manifest, resource: str, shards: int | None) -> Slice | None:
    """The slice that fits the count and the shards.

    Of two with one name it is that with a host for each shard, else that of one host.
    """
    tpu = given.get("tpu")
    if (tpu is not None) != (resource == TPU_RESOURCE):
        raise InvalidSpec(f"{_PATH}.tpu", f"goes with {TPU_RESOURCE}, and that with it")
    if tpu is None:
        return None
    type_, topology = tpu.get("type"), tpu.get("topology")
    if type_ not in TYPES:
        raise InvalidSpec(f"{_PATH}.tpu.type", f"{type_!r} is not known; use {', '.join(TYPES)}")
    found = slices(type_, str(topology))
    if not found:
        one_host = ", ".join(one_host_topologies(type_))
        problem = f"{type_} has no slices of {topology}; use {one_host}"
        raise InvalidSpec(f"{_PATH}.tpu.topology", problem)
    fitting = [item for item in found if item.chips_per_host == given.get("count", "any")]
    if "count" in given and not fitting:
        chips = " or ".join(str(slice_.chips_per_host) for slice_ in found)
        raise InvalidSpec(f"{_PATH}.count", f"a host of a {topology} slice has {chips} chips")
    return _with_hosts(shards, fitting or found)


def _with_hosts(shards: int | None, found: Sequence[Slice]) -> Slice:
    """A group is one slice, or each of its members is one of its own."""
    by_hosts = {slice_.hosts: slice_ for slice_ in found}
    chosen = by_hosts.get(shards or 1) or by_hosts.get(1)
    if chosen:
        return chosen
    topology, hosts = found[0].topology, found[0].hosts
    if shards is not None:
        field = "spec.sharding.shards"
        raise InvalidSpec(field, f"a {topology} slice has {hosts} hosts, one for each: use {hosts}")
    raise InvalidSpec(
        f"{_PATH}.tpu.topology",
        f"{topology} spans {hosts} hosts: set spec.sharding.shards to {hosts}, "
        f"or use {', '.join(one_host_topologies(found[0].type))}",
    )
