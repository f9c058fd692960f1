"""How the servers of a ModelDeployment merge requests into batches."""

from dataclasses import dataclass
from typing import Any

from model_operator.domain.errors import InvalidSpec
from model_operator.domain.manifests import Manifest

_LARGEST = 2**31 - 1
# As model-server bounds them: a day, and what a process can start.
_LONGEST_MICROS = 86_400_000_000
_MOST_THREADS = 4096
_MOST_SIZES = 64


@dataclass(frozen=True)
class Batching:
    """What the user said of batches; None is model-server's default.

    Sizes are rows. `timeout_micros` is how long a batch that is not full waits for more, in
    microseconds. A batch is filled up to the next of `allowed_sizes`, the last of which is
    `max_size`.
    """

    max_size: int | None = None
    timeout_micros: int | None = None
    max_enqueued: int | None = None
    threads: int | None = None
    allowed_sizes: tuple[int, ...] = ()


def parse_batching(batching: Any) -> Batching:
    """The wishes in `spec.serving.batching`, which may be empty: batches by the defaults.

    Raises:
        InvalidSpec: with the path of the field.
    """
    if not isinstance(batching, dict):
        raise InvalidSpec("spec.serving.batching", "is a mapping; {} takes the defaults")
    max_size = _within(batching, "maxBatchSize", 1, _LARGEST)
    return Batching(
        max_size=max_size,
        timeout_micros=_within(batching, "batchTimeoutMicros", 0, _LONGEST_MICROS),
        max_enqueued=_within(batching, "maxEnqueuedBatches", 1, _LARGEST),
        threads=_within(batching, "numBatchThreads", 1, _MOST_THREADS),
        allowed_sizes=_allowed_sizes(batching, max_size),
    )


def _within(batching: Manifest, field: str, least: int, most: int) -> int | None:
    value = batching.get(field)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise InvalidSpec(
            f"spec.serving.batching.{field}", f"must be a whole number, {least} to {most}"
        )
    return value


def _allowed_sizes(batching: Manifest, max_size: int | None) -> tuple[int, ...]:
    sizes = batching.get("allowedBatchSizes") or []
    field = "spec.serving.batching.allowedBatchSizes"
    if any(not isinstance(size, int) or isinstance(size, bool) or size < 1 for size in sizes):
        raise InvalidSpec(field, "must be whole numbers, 1 or more")
    if len(sizes) > _MOST_SIZES or sizes != sorted(set(sizes)):
        raise InvalidSpec(field, f"must be at most {_MOST_SIZES} sizes, each higher than the last")
    if sizes and sizes[-1] != max_size:
        raise InvalidSpec(field, "the last must be maxBatchSize")
    return tuple(sizes)
