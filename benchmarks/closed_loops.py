"""Several ways to answer the same requests, asked in turns by clients that each wait for theirs."""

import statistics
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

Ask = Callable[[int], None]


@dataclass
class Measured:
    """Answers a second in each round, processor seconds of each answer, and how long each took.

    The last by the request's number.
    """

    rates: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    seconds: list[tuple[int, float]] = field(default_factory=list)

    def median_milliseconds(
        self, is_counted: Callable[[int], bool] = lambda _number: True
    ) -> float:
        """Of the requests that count."""
        return 1e3 * statistics.median(each for n, each in self.seconds if is_counted(n))


def measured(
    ways: Mapping[str, Ask], loads: Sequence[int], rounds: int, seconds: float
) -> dict[int, dict[str, Measured]]:
    """By load and way. The ways take turns in each round, so that a busy machine is so for all."""
    found = {load: {name: Measured() for name in ways} for load in loads}
    for _ in range(rounds):
        for load in loads:
            for name, ask in ways.items():
                _ask(ask, load, seconds, found[load][name])
    return found


def ratios(of: Sequence[float], to: Sequence[float]) -> tuple[float, float, float]:
    """The median of the rounds' ratios, the least and the most."""
    each = [one / other for one, other in zip(of, to, strict=True)]
    return statistics.median(each), min(each), max(each)


def _ask(ask: Ask, clients: int, seconds: float, into: Measured) -> None:
    until = time.perf_counter() + seconds
    took: list[tuple[int, float]] = []
    failed: list[BaseException] = []

    def client(first: int) -> None:
        number = first
        try:
            while (began := time.perf_counter()) < until:
                ask(number)
                took.append((number, time.perf_counter() - began))
                number += clients
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=client, args=(first,)) for first in range(clients)]
    began, processor = time.perf_counter(), time.process_time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    into.rates.append(len(took) / (time.perf_counter() - began))
    into.processor.append((time.process_time() - processor) / len(took))
    into.seconds += took
