"""Loads beside requests that are answered: what of it takes long gives way to them.

Two things make requests wait for a load. Python code of the load keeps the interpreter for 5 ms
each time, and a request needs it several times. And reading gigabytes fills all processors, with
several threads of TensorFlow's own, which have the priority of the thread that starts them. Only
work that does without the interpreter gets a low priority: one that held it, and had no processor,
would stop everything.
"""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import TypeVar

T = TypeVar("T")

# On Linux's scale to 19; a thread 10 above another gets about a tenth of the processor beside it.
_LOWER_BY = 10
_LOWEST = 19
# Seconds after which a thread that runs Python code hands over.
_SHORT = 0.0005

_lock = threading.Lock()
_loads = 0
_usual = sys.getswitchinterval()


@contextmanager
def short_turns() -> Iterator[None]:
    """Until the end of the block, and of all such blocks, Python's threads hand over quickly."""
    global _loads, _usual
    with _lock:
        if not _loads:
            _usual = sys.getswitchinterval()
            sys.setswitchinterval(min(_SHORT, _usual))
        _loads += 1
    try:
        yield
    finally:
        with _lock:
            _loads -= 1
            if not _loads:
                sys.setswitchinterval(_usual)


def at_low_priority(call: Callable[[], T]) -> T:
    """What ``call`` returns or raises, run by a thread of low priority of its own.

    Of its own, because only root may raise a priority again.
    """
    done: Future[T] = Future()

    def run() -> None:
        _lower()
        try:
            done.set_result(call())
        except BaseException as error:
            done.set_exception(error)

    threading.Thread(target=run, name="load-quietly", daemon=True).start()
    return done.result()


def _lower() -> None:
    thread = threading.get_native_id()
    # Other systems than Linux have no priorities of threads.
    with suppress(OSError):
        lower = os.getpriority(os.PRIO_PROCESS, thread) + _LOWER_BY
        os.setpriority(os.PRIO_PROCESS, thread, min(lower, _LOWEST))
