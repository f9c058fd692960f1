"""Requests of many rows, split among the interpreters of a model.

Source: TensorFlow Serving ``servables/tensorflow/tflite_session.cc``, which does it where
--num_tflite_interpreters_per_pool is above 1, for models of one input.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from model_server.core.errors import Code, ServingError
from model_server.servables.signature import Tensor

# What TensorFlow Serving takes for a full batch, to be shared by the interpreters of a pool.
_FULL = 500


def most_rows(batch_size: int, interpreters: int) -> int:
    """The rows that one interpreter gets at once.

    ``batch_size`` is the first size of the model's own input; 1 says nothing.
    """
    return batch_size if batch_size > 1 else -(-_FULL // interpreters)


def pieces(rows: int, most: int) -> list[slice]:
    """Rows in order, as few pieces as hold at most so many each; at least one."""
    return [slice(at, min(at + most, rows)) for at in range(0, max(rows, 1), most)]


class Splitter:
    """Runs pieces side by side, in ``threads`` threads."""

    def __init__(self, most: int, threads: int) -> None:
        self._most = most
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="tflite")

    def run(self, rows: Tensor, call: Callable[[Tensor], Sequence[Tensor]]) -> list[Tensor]:
        """The outputs of ``call`` for all rows, in their order.

        Raises what ``call`` raises, and ServingError, FAILED_PRECONDITION, for outputs that have
        not a row for each row.
        """
        if rows.ndim == 0 or len(rows) <= self._most:
            return list(call(rows))
        parts = [rows[piece] for piece in pieces(len(rows), self._most)]
        found = list(self._threads.map(call, parts))
        for part, outputs in zip(parts, found, strict=True):
            if any(output.ndim == 0 or len(output) != len(part) for output in outputs):
                raise ServingError(
                    Code.FAILED_PRECONDITION,
                    "Batched output tensor's 0th dimension does not equal the sum of the 0th"
                    " dimension sizes of the input tensors",
                )
        return [np.concatenate(outputs) for outputs in zip(*found, strict=True)]

    def close(self) -> None:
        """Ends the threads; nobody runs anything any more."""
        self._threads.shutdown()
