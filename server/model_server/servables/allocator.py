"""The process's allocator, set so that the memory of unloaded models goes back to the system.

TensorFlow with oneDNN keeps all memory it ever had for itself (a BFC allocator). The system's
allocator gives it back, but by itself costs a busy model up to twice the CPU, because it gives back
too eagerly: each large tensor is then new memory. So it keeps what is freed, in one arena, until it
is told. Measured with convolutions, matrix products and 16 MB element-wise operations, requests
then cost the same CPU as with BFC.
"""

import ctypes
import threading
from collections.abc import MutableMapping

from model_server.core.servable import State, StateChange

_TENSORFLOW = "TF_ONEDNN_USE_SYSTEM_ALLOCATOR"
# From glibc's malloc.h; the thresholds are the largest that it takes.
_SETTINGS = {
    "ARENA_MAX": (-8, 1),
    "MMAP_THRESHOLD_": (-3, 32 * 2**20),
    "TRIM_THRESHOLD_": (-1, 2**31 - 1),
}


def set_up(environment: MutableMapping[str, str]) -> None:
    """Chooses and sets the allocator; what the environment says about it already, holds.

    To be called before threads are started, and before TensorFlow is imported.
    """
    if environment.setdefault(_TENSORFLOW, "1") not in ("1", "true"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None or "glibc.malloc" in environment.get("GLIBC_TUNABLES", ""):
        return
    for name, (parameter, value) in _SETTINGS.items():
        if f"MALLOC_{name}" not in environment:
            mallopt(parameter, value)


def give_back() -> None:
    """Returns free memory to the system; quick if there is little."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


class GivingBack:
    """Gives free memory back a moment after a version was loaded or unloaded.

    A moment, because a change of version loads and unloads; not a long one, because what is loaded
    next would be placed between what is not given back.
    """

    def __init__(self, moment: float = 0.1) -> None:
        self._moment = moment
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._stopped = False

    def __call__(self, change: StateChange) -> None:
        """Takes a state change in; returns at once."""
        if change.status.state not in (State.AVAILABLE, State.END):
            return
        with self._lock:
            if self._timer is None and not self._stopped:
                self._timer = threading.Timer(self._moment, self._give_back)
                self._timer.daemon = True
                self._timer.start()

    def _give_back(self) -> None:
        with self._lock:
            self._timer = None
        give_back()

    def stop(self) -> None:
        """Gives nothing back any more."""
        with self._lock:
            self._stopped = True
            if self._timer is not None:
                self._timer.cancel()
