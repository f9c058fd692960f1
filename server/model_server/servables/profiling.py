"""Records what TensorFlow does, as its own profiler sees it."""

import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from model_server.core.errors import Code, ServingError


@dataclass(frozen=True)
class Levels:
    """How much is recorded: of the host 1 to 3, of Python and of devices 0 or 1; 0 is nothing."""

    host: int = 2
    python: int = 0
    device: int = 1


# TensorFlow has one profiler for a process.
_recording = threading.Lock()


def record(levels: Levels, wait: Callable[[], None]) -> bytes:
    """A serialized XSpace of what happens while ``wait`` runs.

    Raises ServingError: ALREADY_EXISTS while another recording goes on, UNAVAILABLE if there is no
    place for temporary files; and what ``wait`` raises.
    """
    import tensorflow as tf

    if not _recording.acquire(blocking=False):
        raise ServingError(Code.ALREADY_EXISTS, "Another profiling session active.")
    profiler = tf.profiler.experimental
    options = profiler.ProfilerOptions(levels.host, levels.python, levels.device)
    try:
        # Only into files does TensorFlow give everything; in memory it gives a summary.
        with tempfile.TemporaryDirectory(prefix="profile-") as folder:
            with profiler.Profile(folder, options):
                wait()
            (file,) = Path(folder).rglob("*.xplane.pb")
            return file.read_bytes()
    except tf.errors.OpError as error:
        raise ServingError(Code(error.error_code), error.message) from error
    except OSError as error:
        raise ServingError.of(error) from error
    finally:
        _recording.release()


def save(xspace: bytes, folder: str, name: str) -> None:
    """Writes a recording where TensorBoard looks for it, also to a remote file system.

    Raises ServingError with the file system's code and reason.
    """
    import tensorflow as tf

    try:
        tf.io.gfile.makedirs(folder)
        with tf.io.gfile.GFile(f"{folder}/{name}.xplane.pb", "wb") as file:
            file.write(xspace)
    except tf.errors.OpError as error:
        raise ServingError(Code(error.error_code), error.message) from error
