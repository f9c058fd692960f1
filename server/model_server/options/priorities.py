"""How requests that may be shed are batched beside the others.

Names, defaults and meaning are those of the attributes of TensorFlow's ``BatchFunction``
(``core/ops/batch_ops.cc``, ``kernels/batching_util/shared_batch_scheduler.h``).
"""

import enum
from dataclasses import dataclass
from datetime import timedelta


class MixedPriority(enum.StrEnum):
    """What a batch of critical requests does with room that is left."""

    PAD_TO_MAX = "low_priority_padding_with_max_batch_size"
    PAD_TO_ALLOWED = "low_priority_padding_with_next_allowed_batch_size"
    ISOLATE = "priority_isolation"
    MERGE = "priority_merge"


@dataclass(frozen=True)
class LowPriority:
    """The rules of the queue of requests that may be shed; sizes are rows."""

    max_size: int
    timeout: timedelta = timedelta(0)
    max_enqueued: int = 10
    allowed_sizes: tuple[int, ...] = ()
    policy: MixedPriority = MixedPriority.PAD_TO_MAX
