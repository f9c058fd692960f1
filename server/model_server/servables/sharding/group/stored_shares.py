"""Where TensorFlow finds the variables of a member that it is to read by itself.

Rows of a tensor get an index of their own, in which they are a tensor: TensorFlow would read all of
the tensor to give some of its rows.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from model_server.servables.sharding.checkpoint.checkpoint_index import (
    StoredTensor,
    index_bytes,
    rows_of,
)
from model_server.servables.sharding.checkpoint.checksums import mask
from model_server.servables.sharding.group.shares import Checkpoint, slice_of
from model_server.servables.sharding.plan.shard_plan import Placed, Split
from model_server.servables.sharding.spread.filling import Stored
from model_server.servables.sharding.tables.reading import sum_of


@dataclass(frozen=True)
class Found:
    """Variables to fill, and the plain CRC-32C of the rows of each split one, by its name."""

    stored: tuple[Stored, ...]
    sums: Mapping[str, int]


@contextmanager
def found_in(checkpoint: Checkpoint, placed: Mapping[str, Placed], member: int) -> Iterator[Found]:
    """What a member holds of these variables, by handle; good as long as the context is.

    Raises:
        OSError: a data file cannot be read.
    """
    parts = {
        handle: part
        for handle, each in placed.items()
        if (part := _part(checkpoint, each, member)) is not None
    }
    sums = {handle: sum_of(checkpoint.data(each.file), each) for handle, each in parts.items()}
    with TemporaryDirectory() as folder:
        own = Checkpoint(str(Path(folder) / "rows"), checkpoint.index)
        for file in range(checkpoint.index.files):
            own.data(file).symlink_to(checkpoint.data(file).absolute())
        entries = [_with_sum(handle, part, sums[handle]) for handle, part in parts.items()]
        Path(f"{own.prefix}.index").write_bytes(index_bytes(checkpoint.index.files, entries))
        stored = [
            Stored(handle, own.prefix, handle, "", each.variable.dtype)
            if handle in parts
            else _as_it_is(checkpoint, handle, each, member)
            for handle, each in placed.items()
        ]
        yield Found(tuple(stored), {placed[each].variable.name: sums[each] for each in parts})


def _part(checkpoint: Checkpoint, placed: Placed, member: int) -> StoredTensor | None:
    """The rows of a split variable; None for one that is read as it is stored."""
    tensor = checkpoint.index.tensors[placed.variable.key]
    if not isinstance(placed, Split) or tensor.is_sliced:
        return None
    return rows_of(tensor, _rows(placed, member), tensor.key, 0)


def _with_sum(handle: str, part: StoredTensor, crc: int) -> StoredTensor:
    return rows_of(part, range(part.shape[0]), handle, mask(crc))


def _as_it_is(checkpoint: Checkpoint, handle: str, placed: Placed, member: int) -> Stored:
    variable = placed.variable
    of = slice_of(variable, _rows(placed, member)) if isinstance(placed, Split) else variable.slice
    return Stored(handle, checkpoint.prefix, variable.key, of, variable.dtype)


def _rows(placed: Split, member: int) -> range:
    return range(placed.bounds[member], placed.bounds[member + 1])
