"""Which models hold the threads that run batches, so that a slow one does not hold them all."""

import math
from collections import Counter
from collections.abc import Hashable

# Seconds for which a model that asked keeps a thread from others that have all but that one.
_LATELY = 5.0


class Sharing:
    """So many ``threads`` for all models; not thread-safe. Times are seconds of one clock.

    A batch that runs cannot be interrupted, so a model that has several batches ready would fill
    all threads, and the next request of any other model would wait for one of them to end. As long
    as others were asked lately, a model therefore leaves one thread to them; with a single thread
    there is none to leave.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._held: Counter[Hashable] = Counter()
        self._asked: dict[Hashable, float] = {}

    def ask(self, model: Hashable, now: float) -> None:
        """A request for this model came."""
        if model not in self._asked:
            # Those that are gone for good must not be kept.
            self._asked = {each: at for each, at in self._asked.items() if now - at < _LATELY}
        self._asked[model] = now

    def hold(self, model: Hashable) -> None:
        """A batch of this model runs from now on."""
        self._held[model] += 1

    def release(self, model: Hashable) -> None:
        """A batch of this model ended."""
        self._held[model] -= 1
        if not self._held[model]:
            del self._held[model]

    def may_hold_one_more_at(self, model: Hashable) -> float:
        """The time from which on a model may run one more batch, if nobody asks or ends until then.

        Minus infinity is at once.
        """
        if self._threads == 1 or self._held[model] < self._threads - 1:
            return -math.inf
        others = (at for each, at in self._asked.items() if each != model)
        return max(others, default=-math.inf) + _LATELY

    def threads_for(self, model: Hashable, now: float) -> int:
        """How many threads a model may hold as things are."""
        is_alone = all(each == model or now - at >= _LATELY for each, at in self._asked.items())
        return self._threads if is_alone else max(self._threads - 1, 1)
