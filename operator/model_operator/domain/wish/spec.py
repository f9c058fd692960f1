"""The user's wish as typed values: parse a ModelDeployment or say which field is wrong."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from model_operator.domain.errors import InvalidSpec
from model_operator.domain.fields import mapping, whole
from model_operator.domain.manifests import Manifest, as_stored
from model_operator.domain.placement.accelerator import Accelerator, parse_accelerator
from model_operator.domain.placement.scheduling import Scheduling, parse_scheduling
from model_operator.domain.routing.headers import Requests, parse_requests
from model_operator.domain.wish.arms import Arm, MainModel, parse_shadow, parse_variants
from model_operator.domain.wish.batching import Batching, parse_batching
from model_operator.domain.wish.commands import Command, parse_commands
from model_operator.domain.wish.model import Model, parse_model
from model_operator.domain.wish.rollout import Rollout, parse_rollout
from model_operator.domain.wish.sharding import Sharding, parse_sharding, require_recovery

_SERVICE_NAME = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")


@dataclass(frozen=True)
class Serving:
    """How the server container runs.

    `image` None means the operator's default, `batching` None that each request runs by itself.
    """

    image: str | None
    args: tuple[str, ...]
    env: tuple[Manifest, ...]
    resources: Manifest
    batching: Batching | None = None


@dataclass(frozen=True)
class Identity:
    """Which ModelDeployment, and which state of its spec."""

    namespace: str
    name: str
    uid: str
    generation: int

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True)
class ModelDeployment:
    """A valid ModelDeployment. Without an `accelerator` the model runs on CPUs.

    Without `sharding` each pod holds the whole model; with it each of `replicas` is a group.
    `arm` is None for the main model; else this is what runs of that arm.
    """

    identity: Identity
    model: Model
    serving: Serving
    accelerator: Accelerator | None
    scheduling: Scheduling
    replicas: int
    rollout: Rollout
    suspend: bool
    commands: Mapping[Command, str] = field(default_factory=dict)
    variants: tuple[Arm, ...] = ()
    shadow: Arm | None = None
    requests: Requests = field(default_factory=Requests)
    arm: Arm | None = None
    sharding: Sharding | None = None

    @property
    def arm_name(self) -> str:
        """Empty for the main model."""
        return self.arm.name if self.arm else ""

    @property
    def arms(self) -> tuple[Arm, ...]:
        """The variants, and the shadow as the last one."""
        return (*self.variants, *([self.shadow] if self.shadow else []))

    def of_arm(self, arm: Arm) -> "ModelDeployment":
        """What runs of an arm: the same but for the model and the replicas.

        A new version of it takes over at once when it is ready.
        """
        return replace(
            self,
            arm=arm,
            model=arm.model,
            replicas=arm.replicas,
            rollout=replace(self.rollout, steps=(), keep_warm=timedelta(), is_paused=False),
            commands={},
            variants=(),
            shadow=None,
        )


def identify(body: Manifest) -> Identity:
    metadata = body["metadata"]
    return Identity(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        generation=int(metadata["generation"]),
    )


def parse(body: Manifest, allows_node_paths: bool = False) -> ModelDeployment:
    """A ModelDeployment from the object as the API server returns it.

    Most of what is refused here the CRD refuses too. It is said again because an object may be
    older than the rule that forbids it. Whether models may lie on nodes only the operator knows.

    Raises:
        InvalidSpec: with the path of the field and what to do about it.
    """
    identity = identify(body)
    if not _SERVICE_NAME.fullmatch(identity.name):
        raise InvalidSpec("metadata.name", "cannot be the name of a Service (RFC 1035 label)")
    spec = mapping(body, "spec")
    replicas = whole(spec.get("replicas", 1), "spec.replicas")
    asked = mapping(spec, "spec.model")
    model = parse_model(asked, "spec.model", identity.name, allows_node_paths)
    main = MainModel(asked, model.name, allows_node_paths)
    serving = _serving(spec.get("serving") or {})
    variants = parse_variants(spec.get("variants") or (), main)
    shadow = parse_shadow(spec["shadow"], main) if spec.get("shadow") else None
    sharding = _sharding(spec, [model, *(arm.model for arm in (*variants, shadow) if arm)])
    return ModelDeployment(
        identity=identity,
        model=model,
        serving=serving,
        accelerator=_accelerator(spec, serving, sharding),
        scheduling=parse_scheduling(spec.get("scheduling") or {}),
        replicas=replicas,
        rollout=parse_rollout(spec.get("rollout") or {}),
        suspend=bool(spec.get("suspend", False)),
        commands=parse_commands(body["metadata"].get("annotations") or {}),
        variants=variants,
        shadow=shadow,
        requests=parse_requests(spec.get("traffic") or {}),
        sharding=sharding,
    )


def _sharding(spec: Manifest, models: Sequence[Model]) -> Sharding | None:
    if spec.get("sharding") is None:
        return None
    return parse_sharding(mapping(spec, "spec.sharding"), models)


def _serving(serving: Manifest) -> Serving:
    resources = serving.get("resources") or {}
    batching = serving.get("batching")
    return Serving(
        image=serving.get("image"),
        args=tuple(serving.get("args") or ()),
        env=tuple(as_stored(variable) for variable in serving.get("env") or ()),
        resources={part: given for part, given in resources.items() if given},
        batching=None if batching is None else parse_batching(batching),
    )


def _accelerator(spec: Manifest, serving: Serving, sharding: Sharding | None) -> Accelerator | None:
    if "accelerator" not in spec:
        return None
    shards = sharding.shards if sharding else None
    accelerator = parse_accelerator(mapping(spec, "spec.accelerator"), shards)
    if sharding and accelerator.tpu:
        require_recovery(sharding, accelerator.tpu)
    for part in ("requests", "limits"):
        if accelerator.resource in (serving.resources.get(part) or {}):
            field = f"spec.serving.resources.{part}"
            raise InvalidSpec(field, f"{accelerator.resource} follows from spec.accelerator")
    return accelerator
