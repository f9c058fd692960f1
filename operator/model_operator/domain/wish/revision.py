"""Revisions: which contents of a spec matter to pods, and how each is found again."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from model_operator.domain import names
from model_operator.domain.manifests import Manifest
from model_operator.domain.placement.accelerator import Accelerator
from model_operator.domain.placement.tpu import chips
from model_operator.domain.wish.batching import Batching
from model_operator.domain.wish.sharding import GangScheduling, Sharding
from model_operator.domain.wish.spec import ModelDeployment


@dataclass(frozen=True)
class Revision:
    """One immutable content of the spec that matters to pods.

    `template` is the pod template made from it when it was first seen. It is kept, so that a newer
    operator changes no pod by itself. `number` orders revisions by when they were last asked for.
    """

    name: str
    number: int
    input: Manifest
    template: Manifest

    @property
    def version(self) -> int:
        return int(self.input["model"]["version"])

    @property
    def arm(self) -> str:
        """The variant, or the shadow, that it is a revision of; empty for the main model."""
        return str(self.input.get("arm", ""))

    @property
    def shards(self) -> int | None:
        """The pods of one copy; None where each pod holds the whole model."""
        sharding = self.input.get("sharding")
        return int(sharding["shards"]) if sharding else None

    @property
    def is_slice(self) -> bool:
        """Whether a copy is one TPU slice of several hosts, whose chips exchange what they know."""
        accelerator = self.input.get("accelerator") or {}
        tpu = accelerator.get("tpu")
        return bool(tpu and self.shards and chips(tpu["topology"]) > accelerator["count"])


def user_input(deployment: ModelDeployment) -> Manifest:
    """What the user asked for, without any default that an operator release could change."""
    model, serving = deployment.model, deployment.serving
    asked: Manifest = {
        "model": {
            "name": model.name,
            "scheme": model.source.scheme.value,
            "volume": model.source.volume,
            "path": model.source.path,
            "version": model.version,
        },
    }
    if model.platform is not None:
        asked["model"]["platform"] = model.platform
    runtime = {
        "image": serving.image,
        "args": list(serving.args),
        "env": list(serving.env),  # its order matters: $(NAME) refers to those before
        "resources": serving.resources,
    }
    # An absent part and an empty one are the same wish. So are specs from before a part existed.
    given = {part: value for part, value in runtime.items() if value}
    if serving.batching is not None:
        # Here an empty part is a wish of its own: batches by the defaults.
        given["batching"] = _batching_input(serving.batching)
    if given:
        asked["serving"] = given
    if deployment.accelerator:
        asked["accelerator"] = _accelerator_input(deployment.accelerator)
    if deployment.scheduling.fields:
        asked["scheduling"] = deployment.scheduling.fields
    if deployment.sharding:
        asked["sharding"] = _sharding_input(deployment.sharding)
    if deployment.arm:
        # So that no revision belongs to two, whatever versions they come to.
        asked["arm"] = deployment.arm_name
    return asked


def _batching_input(batching: Batching) -> Manifest:
    asked: Manifest = {
        "maxBatchSize": batching.max_size,
        "batchTimeoutMicros": batching.timeout_micros,
        "maxEnqueuedBatches": batching.max_enqueued,
        "numBatchThreads": batching.threads,
        "allowedBatchSizes": list(batching.allowed_sizes) or None,
    }
    return {field: value for field, value in asked.items() if value is not None}


def _accelerator_input(accelerator: Accelerator) -> Manifest:
    asked: Manifest = {"resource": accelerator.resource, "count": accelerator.count}
    if accelerator.product:
        asked["product"] = accelerator.product
    if sharing := accelerator.sharing:
        asked["sharing"] = {"strategy": sharing.strategy.value, "clients": sharing.clients}
    if tpu := accelerator.tpu:
        asked["tpu"] = {"type": tpu.type, "topology": tpu.topology}
    return asked


def _sharding_input(sharding: Sharding) -> Manifest:
    # How a group recovers changes no pod, so it is no part of this.
    asked: Manifest = {"shards": sharding.shards}
    if topology := sharding.topology:
        asked["topology"] = {"key": topology.key, "mode": topology.mode.value}
    if sharding.gang_scheduling is not GangScheduling.GATED:
        asked["gangScheduling"] = sharding.gang_scheduling.value
    return asked


def find(revisions: Iterable[Revision], asked: Manifest) -> Revision | None:
    """The revision with exactly this input, if it is remembered."""
    return next((revision for revision in revisions if revision.input == asked), None)


def name_for(deployment: str, asked: Manifest, taken: Iterable[str]) -> str:
    """A name for new input: the same for the same input, never one that is taken.

    A taken name is the rare case of two inputs with one digest; the next salt then decides.
    """
    stem = f"{deployment}-{asked['arm']}" if "arm" in asked else deployment
    text = json.dumps([deployment, asked], sort_keys=True, separators=(",", ":"))
    occupied = frozenset(taken)
    salt = 0
    while (name := names.revision_name(stem, names.digest(f"{salt}:{text}"))) in occupied:
        salt += 1
    return name


def forgettable(
    revisions: Iterable[Revision], in_use: frozenset[str], limit: int
) -> tuple[Revision, ...]:
    """The oldest revisions beyond the limit; one that is in use is never forgotten."""
    idle = [revision for revision in revisions if revision.name not in in_use]
    idle.sort(key=lambda revision: revision.number, reverse=True)
    return tuple(idle[limit:])
