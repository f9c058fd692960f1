"""Which bytes of a SavedModel's files a member reads, so that no others need to be fetched."""

import logging
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from model_server.servables.sharding.checkpoint.checkpoint_index import (
    CheckpointIndex,
    StoredTensor,
    rows_of,
)
from model_server.servables.sharding.plan.planning import CannotPlan, read_plan
from model_server.servables.sharding.plan.shard_plan import Placed, ShardPlan, Split

_log = logging.getLogger(__name__)
_DATA = re.compile(r"variables/variables\.data-(\d{5})-of-(\d{5})")


@dataclass(frozen=True)
class MemberNeeds:
    """See storage's Needs: those of one member of a group of so many."""

    member: int
    shards: int
    tags: frozenset[str]

    @property
    def share(self) -> float:
        """About what part of a version's files it is."""
        return 1 / self.shards

    def is_in_parts(self, file: str) -> bool:
        """Whether it is a data file of the checkpoint."""
        return _DATA.fullmatch(file) is not None

    def ranges(self, folder: str) -> Mapping[str, Sequence[range]] | None:
        """The bytes of data files, by their path, that hold what is this member's."""
        try:
            plan, index = read_plan(Path(folder), self.shards, self.tags)
        except CannotPlan as error:
            # The load says it better, and needs no data for that.
            _log.debug("nothing is known of what %s needs: %s", folder, error)
            return {}
        return bytes_of(plan, index, self.member)


def bytes_of(plan: ShardPlan, index: CheckpointIndex, member: int) -> dict[str, list[range]] | None:
    """The ranges of bytes of each data file that hold a member's variables; pure.

    None where a tensor is stored in slices, whose places the index does not tell.
    """
    found: dict[int, list[range]] = defaultdict(list)
    stored = [(each, index.tensors[each.variable.key]) for each in plan.placed]
    if any(tensor.is_sliced for _, tensor in stored):
        return None
    for placed, tensor in stored:
        if placed.bytes_on(member):
            found[tensor.file].append(_bytes(placed, tensor, member))
    return {
        f"variables/variables.data-{file:05d}-of-{index.files:05d}": _joined(found[file])
        for file in range(index.files)
    }


def _bytes(placed: Placed, tensor: StoredTensor, member: int) -> range:
    if isinstance(placed, Split):
        rows = range(placed.bounds[member], placed.bounds[member + 1])
        tensor = rows_of(tensor, rows, tensor.key, 0)
    return range(tensor.offset, tensor.offset + tensor.size)


def _joined(ranges: list[range]) -> list[range]:
    """The same bytes in order, each once."""
    joined: list[range] = []
    for each in sorted(ranges, key=lambda each: (each.start, each.stop)):
        if joined and each.start <= joined[-1].stop:
            joined[-1] = range(joined[-1].start, max(joined[-1].stop, each.stop))
        else:
            joined.append(each)
    return joined
