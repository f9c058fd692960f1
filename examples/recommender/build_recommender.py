#!/usr/bin/env python3
"""Write a recommender whose tables are as large as you like, as a SavedModel.

    python examples/recommender/build_recommender.py --out models --size 2GB

writes models/recommender/1. No more than 1 MiB of the tables is in memory at a time, so a small
machine can write a model that it could not load. The same size always gives the same numbers. A
version folder that is already there is kept: a version never changes once it exists.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

from checkpoint_file import Tensor, write_checkpoint, write_index
from recommender_graph import saved_model
from recommender_rows import HIDDEN, NAME, WIDTH, Tables, hidden_weights, size_of, tables_of
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn

VERSION = 1

_SPARE = 100 * 10**6  # bytes of the disk that the tables leave free


def write_model(
    tables: Tables, folder: Path, wrote: Callable[[int], None] = lambda _bytes: None
) -> None:
    """Write a SavedModel into a folder that is not there yet; `wrote` hears of each piece's bytes.

    Raises:
        OSError: it cannot be written.
    """
    write_checkpoint(_tensors(tables), _prefix(tables, folder), wrote)


def write_outline(tables: Tables, folder: Path) -> None:
    """Write all of a SavedModel but its numbers: enough to plan a group, and nothing to serve.

    Raises:
        OSError: it cannot be written.
    """
    write_index(_tensors(tables), _prefix(tables, folder))


def _prefix(tables: Tables, folder: Path) -> Path:
    """Writes the graph; where the checkpoint belongs."""
    variables = folder / "variables"
    variables.mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(saved_model(tables).SerializeToString())
    return variables / "variables"


def _tensors(tables: Tables) -> Iterator[Tensor]:
    yield Tensor(HIDDEN, (WIDTH, WIDTH), [hidden_weights()])
    for table in (tables.items, tables.users):
        yield Tensor(table.name, (table.rows, WIDTH), table.pieces())


def write_version(out: Path, tables: Tables, is_outline: bool = False) -> str:
    """Make OUT/recommender/1 whole or not at all; returns a sentence about what happened.

    Raises:
        OSError: it cannot be written, or the disk has too little room.
    """
    target = out / NAME / str(VERSION)
    if target.exists():
        return f"{target} is already there, kept"
    target.parent.mkdir(parents=True, exist_ok=True)
    # A model server that watches the base path ignores names that are not numbers.
    unfinished = Path(tempfile.mkdtemp(prefix=f".{VERSION}-", dir=target.parent))
    try:
        folder = unfinished / "model"
        if is_outline:
            write_outline(tables, folder)
        else:
            _write_with_bar(tables, folder)
        folder.rename(target)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return f"{target}: {tables.users.rows:,} users, {tables.items.rows:,} items"


def _write_with_bar(tables: Tables, folder: Path) -> None:
    free = shutil.disk_usage(folder.parent).free
    if free < tables.bytes + _SPARE:
        raise OSError(f"only {free / 1e9:.1f} GB are free, for {tables.bytes / 1e9:.1f} GB")
    with _bar() as bar:
        task = bar.add_task("", total=tables.bytes)
        write_model(tables, folder, lambda count: bar.advance(task, count))


def _bar() -> Progress:
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)


def main(arguments: list[str] | None = None) -> None:
    """Write what the command line asks for."""
    parser = argparse.ArgumentParser(description="Write a recommender as a SavedModel.")
    parser.add_argument("--out", type=Path, required=True, help="folder for the base path")
    parser.add_argument("--size", type=size_of, default="2GB", help="of the tables; default: 2GB")
    parser.add_argument(
        "--outline",
        action="store_true",
        help="leave the numbers out: what is left can be planned, but not served",
    )
    options = parser.parse_args(arguments)
    try:
        print(write_version(options.out, tables_of(options.size), options.outline))
    except OSError as error:
        sys.exit(f"cannot write {options.out / NAME / str(VERSION)}: {error.strerror or error}")


if __name__ == "__main__":
    main()
