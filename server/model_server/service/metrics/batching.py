"""The metrics of batches, by TensorFlow Serving's names."""

from collections.abc import Sequence
from functools import cached_property

from model_server.batching.ran import Ran
from model_server.service.metrics.kinds import (
    Cell,
    Counter,
    Family,
    Histogram,
    Samples,
    changing,
    exponential,
)

_FOLDER = "/tensorflow/serving/batching_session/"
_SIZES = exponential(1, 2, 14)


class BatchingMetrics:
    """Counts runs and rows of all batches; sizes are rows."""

    def __init__(self) -> None:
        self._waits = Histogram(
            f"{_FOLDER}queuing_latency", exponential(100, 1.2, 52), "thread_pool_name"
        )
        self._runs = Counter(f"{_FOLDER}wrapped_run_count")
        self._padding = Histogram(f"{_FOLDER}padding_size", _SIZES, "execution_batch_size")
        self._inputs = Histogram(f"{_FOLDER}input_batch_size", _SIZES)
        self._processed = Histogram(f"{_FOLDER}processed_batch_size", _SIZES)

    # What nobody counts has no points, so these come with the first batch.
    @cached_property
    def _waited(self) -> Samples:
        # TensorFlow Serving leaves the name of the threads out of the label that is for it.
        return self._waits.cell(("",))

    @cached_property
    def _ran(self) -> tuple[Cell, Samples, Samples]:
        return self._runs.cell(()), self._inputs.cell(()), self._processed.cell(())

    def waited(self, seconds: Sequence[float]) -> None:
        """See Observer."""
        waited = self._waited
        with changing:
            waited.put_all([each * 1e6 for each in seconds])

    def ran(self, ran: Ran) -> None:
        """See Observer."""
        runs, inputs, processed = self._ran
        with changing:
            runs.value += 1
            inputs.put_all(ran.parts)
            processed.put(ran.size)
        self._padding.add((str(ran.size),), ran.padding)

    def collect(self) -> list[Family]:
        """All of them now."""
        return [
            metric.collect()
            for metric in (self._waits, self._runs, self._padding, self._inputs, self._processed)
        ]
