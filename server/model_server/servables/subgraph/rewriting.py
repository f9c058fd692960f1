"""The whole way of a SavedModel to one with a batched part: read, changed, tried, written."""

import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tensorflow.core.protobuf.saved_model_pb2 import SavedModel as SavedModelProto
from tensorflow.python.saved_model import loader_impl

from model_server.servables.batch_ops.bodies import CannotBatch
from model_server.servables.batch_ops.making import Queue
from model_server.servables.subgraph.parts import Part, batch_part
from model_server.servables.subgraph.samples import WARM_UP_FILE, Sample, recorded_samples
from model_server.servables.subgraph.trials import check_answers, check_rows

_GRAPH = "saved_model.pb"
# What says the same in other words, or would be wrong of the new graph.
_LEFT_OUT = frozenset({_GRAPH, "saved_model.pbtxt", "fingerprint.pb"})


@dataclass(frozen=True)
class Batched:
    """What was done: the functions that run in batches now, and what it was tried with.

    ``compared``: runs of them with rows of two requests together. ``loaders``: whose answers are
    those of the model before.
    """

    functions: Sequence[str]
    samples: int
    compared: int
    loaders: Sequence[str]


def batch_subgraph(
    source: Path,
    target: Path,
    part: Part,
    queue: Queue | None = None,
    samples: Sequence[Sample] | None = None,
) -> Batched:
    """Writes a version folder like ``source`` to ``target``, where the part runs in batches.

    Before, it is tried with ``samples``, by default those recorded for the warm-up of the source:
    rows of the part must be independent, and all answers as they were, by the server and by
    ``tf.saved_model.load``. Raises CannotBatch with the reason; then nothing is written.
    """
    if target.exists():
        raise CannotBatch(f"{target} is there already")
    if samples is None:
        samples = _recorded(source)
    if not samples:
        raise CannotBatch("without sample requests it cannot be tried")
    try:
        saved = loader_impl.parse_saved_model(str(source))
    except (OSError, ValueError) as error:
        raise CannotBatch(f"cannot read the SavedModel {source}: {error}") from error
    meta_graph = _served(saved, source)
    functions = batch_part(meta_graph, part, queue or Queue())
    target.parent.mkdir(parents=True, exist_ok=True)
    # Beside the target, so that it can take its place at once.
    with tempfile.TemporaryDirectory(prefix=".batched-", dir=target.parent) as folder:
        made = Path(folder, "whole")
        _copy(source, made)
        (made / _GRAPH).write_bytes(saved.SerializeToString())
        compared = _try_rows(source, saved, functions, samples, Path(folder, "probed"))
        loaders = check_answers(source, made, samples)
        os.rename(made, target)
    return Batched(functions, len(samples), compared, loaders)


def _recorded(source: Path) -> list[Sample]:
    file = source / WARM_UP_FILE
    if not file.exists():
        raise CannotBatch(f"there are no sample requests: none were given, and there is no {file}")
    return recorded_samples(file)


def _served(saved: Any, source: Path) -> Any:
    for meta_graph in saved.meta_graphs:
        if set(meta_graph.meta_info_def.tags) == {"serve"}:
            return meta_graph
    raise CannotBatch(f"{source} has no graph with the tag serve")


def _copy(source: Path, folder: Path) -> None:
    def left_out(path: str, names: list[str]) -> list[str]:
        return [name for name in names if Path(path) == source and name in _LEFT_OUT]

    shutil.copytree(source, folder, ignore=left_out)


def _try_rows(
    source: Path, saved: Any, functions: Sequence[str], samples: Sequence[Sample], folder: Path
) -> int:
    probed = SavedModelProto()
    probed.CopyFrom(saved)
    folder.mkdir()
    for each in source.iterdir():
        if each.name not in _LEFT_OUT:
            (folder / each.name).symlink_to(each.resolve())
    return check_rows(
        _served(probed, source),
        functions,
        samples,
        lambda: _written(folder, probed),
    )


def _written(folder: Path, saved: Any) -> Path:
    (folder / _GRAPH).write_bytes(saved.SerializeToString())
    return folder
