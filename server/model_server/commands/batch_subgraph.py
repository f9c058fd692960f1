"""``model-server batch-subgraph``: a SavedModel of which a part runs batched across requests."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from model_server.servables.batch_ops.making import Queue
    from model_server.servables.subgraph.parts import Part

_PROGRAM = "model-server batch-subgraph"


def main(arguments: Sequence[str]) -> int:
    """Runs the command with what follows its name; the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if bool(options.function) == bool(options.inputs or options.outputs):
        parser.error("give --function, or --inputs and --outputs")
    # Imports TensorFlow, for which a wrong argument need not wait.
    from model_server.servables.batch_ops.bodies import CannotBatch
    from model_server.servables.subgraph.rewriting import batch_subgraph
    from model_server.servables.subgraph.samples import recorded_samples

    try:
        samples = recorded_samples(options.samples) if options.samples else None
        done = batch_subgraph(
            options.source, options.target, _part(options), _queue(options), samples
        )
    except (CannotBatch, OSError) as error:
        print(f"{_PROGRAM}: {error}", file=sys.stderr)
        return 1
    print(f"{options.target}: {', '.join(done.functions)} now run in batches")
    print(
        f"tried with {done.samples} requests: equal answers by {' and '.join(done.loaders)},"
        f" {done.compared} runs with rows of two requests together"
    )
    return 0


def _part(options: argparse.Namespace) -> "Part":
    from model_server.servables.subgraph.parts import Between, Function

    if options.function:
        return Function(options.function)
    return Between(_listed(options.inputs), _listed(options.outputs), options.in_function)


def _queue(options: argparse.Namespace) -> "Queue":
    from model_server.servables.batch_ops.making import Queue

    return Queue(
        threads=options.num_batch_threads,
        max_size=options.max_batch_size,
        timeout_micros=options.batch_timeout_micros,
        max_enqueued=options.max_enqueued_batches,
        allowed_sizes=tuple(map(int, _listed(options.allowed_batch_sizes))),
    )


def _listed(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=_PROGRAM,
        description="Rewrite a SavedModel so that a function, or what lies between named tensors, "
        "runs batched across concurrent requests while the rest does not. It is tried with sample "
        "requests first; where an answer would change nothing is written.",
    )
    add = parser.add_argument
    add("source", type=Path, help="a version folder, the one with saved_model.pb")
    add("target", type=Path, help="the version folder to write, which must not be there")
    add("--function", default="", metavar="NAME", help="a tf.function that the model calls")
    add("--inputs", default="", metavar="TENSORS", help="where the part begins; a comma list")
    add("--outputs", default="", metavar="TENSORS", help="where it ends; a comma list")
    add(
        "--in-function",
        default="",
        metavar="NAME",
        help="the function, such as the body of a loop, whose tensors these are; otherwise the "
        "graph's",
    )
    add(
        "--samples",
        type=Path,
        metavar="FILE",
        help="TFRecords of PredictionLogs; by default those of the source's warm-up",
    )
    add("--max-batch-size", type=int, default=64, metavar="ROWS")
    add("--num-batch-threads", type=int, default=1, metavar="N")
    add("--batch-timeout-micros", type=int, default=0, metavar="N")
    add("--max-enqueued-batches", type=int, default=100, metavar="N")
    add("--allowed-batch-sizes", default="", metavar="SIZES", help="a comma list")
    return parser
