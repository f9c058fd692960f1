"""What a platform is: a class that makes servables of one format out of version folders.

A package adds a platform by an entry point of the group ``modelfleet.servables`` whose name is what
``model_platform`` says in a model's configuration and whose value is a class like this one.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from model_server.options.batching import Batching
from model_server.options.shards import Shards
from model_server.servables.signature import Signature, Tensor, Tensors
from model_server.storage.folders import Needs


class Servable(Protocol):
    """One loaded version of a model; ``run`` is called from many threads at once."""

    @property
    def signatures(self) -> Mapping[str, Signature]:
        """What can be called, by name."""

    def run(
        self, signature: Signature, inputs: Tensors, outputs: Sequence[str]
    ) -> Sequence[Tensor]:
        """The outputs asked for, in that order.

        ``inputs`` holds an array of the signature's dtype for each of its inputs (shapes are the
        servable's business); ``outputs`` are aliases of the signature. Raises ServingError.
        """


@runtime_checkable
class JointServable(Protocol):
    """A servable that can run several signatures of one input at once."""

    def run_jointly(self, signatures: Sequence[Signature], inputs: Tensors) -> Sequence[Tensors]:
        """All outputs of each signature, by alias. Raises ServingError."""


@runtime_checkable
class WaitingServable(Protocol):
    """A servable whose runs wait for those of other requests, and need no thread meanwhile."""

    def waits(self, signature: Signature) -> bool:
        """Whether runs of this signature wait."""

    async def run_later(
        self, signature: Signature, inputs: Tensors, outputs: Sequence[str]
    ) -> Sequence[Tensor]:
        """See Servable.run; for work that waits by ``go_on``. Raises ServingError."""


@runtime_checkable
class GroupServable(Protocol):
    """A servable that needs other servers to answer."""

    @property
    def hindrance(self) -> str | None:
        """Why it cannot answer now, for people; None when it can."""

    def before_first(self, prepare: Callable[[], object]) -> None:
        """Has something done when it can answer for the first time, before it says so."""


@dataclass(frozen=True)
class Runtime:
    """How the servables of a platform run, the same for all models of it.

    ``session_config`` is a ConfigProto; 0, or nothing, leaves a choice to it or to TensorFlow.
    With ``batching_of_versions`` a version's folder says how it is batched, by the threads of
    ``batching``. Each recorded request is replayed ``warm_ups`` times; 0 is no warm-up. With
    ``shards`` a servable holds a part of its model, and other servers hold the rest. With
    ``share_tables`` servables keep equal tables once.
    """

    tags: frozenset[str] = frozenset({"serve"})
    intra_op_threads: int = 0
    inter_op_threads: int = 0
    gpu_memory_fraction: float = 0.0
    mixed_precision: str = ""
    session_config: bytes = b""
    batching: Batching | None = None
    prefer_tflite: bool = False
    tflite_pools: int = 1
    tflite_interpreters_per_pool: int = 1
    batching_of_versions: bool = False
    warm_ups: int = 1
    shards: Shards | None = None
    share_tables: bool = False


class Platform(Protocol):
    """Loads and unloads servables of one format."""

    def __init__(self, runtime: Runtime) -> None: ...

    def load(self, name: str, version: int, path: str) -> Servable:
        """The servable in this folder, ready to run. Raises ServingError with the reason."""

    def unload(self, servable: Any) -> None:
        """Gives back what ``load`` took; nobody runs the servable any more."""


@runtime_checkable
class PartialPlatform(Protocol):
    """A platform that may read just a part of a version's files."""

    @property
    def needs(self) -> Needs | None:
        """What it reads of them; None for everything."""
