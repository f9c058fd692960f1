"""A TensorFlow Lite model is tried in a process of its own before it comes into the server.

LiteRT verifies a file before it believes it, and ``soundness`` knows what that does not
cover; yet some damaged files end the process that loads or runs them, which must not be the one
that serves other models. Trials are made by a process that has imported LiteRT and forks for each;
it ends when it has nothing to do.
"""

import atexit
import contextlib
import os
import signal
import subprocess
import sys
import threading

from model_server.core.errors import Code, ServingError

_PROGRAM = "model_server.servables.tflite.trying"
_LENGTH = 8
_LOADED = 1


class Trials:
    """Tries models one after the other; from any thread."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False

    def run(self, content: bytes) -> None:
        """Raises ServingError: INVALID_ARGUMENT where the model ends the process that tries it,
        RESOURCE_EXHAUSTED where it is killed, most likely for want of memory, DEADLINE_EXCEEDED
        where loading it does not end, UNAVAILABLE where it cannot be tried.

        What it raises there is no concern of this function: loading it here will raise it again.
        """
        with self._turn:
            # The one before may have ended for want of work, even just now.
            answer = self._asked(content) or self._asked(content)
        if answer is None:
            raise ServingError(Code.UNAVAILABLE, "the process that tries TFLite models has ended")
        number, came = answer
        # Running it once may take its time.
        if number == 0 or (number == signal.SIGALRM and came == _LOADED):
            return
        if number == signal.SIGALRM:
            raise ServingError(Code.DEADLINE_EXCEEDED, "the TFLite model takes too long to load")
        if number == signal.SIGKILL:
            raise ServingError(
                Code.RESOURCE_EXHAUSTED,
                "the process that tried the TFLite model was killed; it may want more memory",
            )
        doing = "runs" if came == _LOADED else "loads"
        raise ServingError(
            Code.INVALID_ARGUMENT,
            f"the TFLite model is damaged: it ends a process that {doing} it, by"
            f" {signal.Signals(number).name}",
        )

    def _asked(self, content: bytes) -> tuple[int, int] | None:
        """By which signal the trial ended, and how far it came; None where nobody answers."""
        if self._closed:
            return None
        process = self._started()
        assert process.stdin is not None and process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(len(content).to_bytes(_LENGTH, "little") + content)
            process.stdin.flush()
        answer = process.stdout.read(2)
        if len(answer) == 2:
            return answer[0], answer[1]
        self._process = None
        _end(process)
        return None

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", _PROGRAM],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                # It forks, so it must have no threads.
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
            )
        return self._process

    def close(self) -> None:
        """Ends the process, also from under a trial; there are no more trials."""
        self._closed = True
        if self._process is not None:
            _end(self._process)


def _end(process: subprocess.Popen[bytes]) -> None:
    # Its pipe may still hold a model that it never took.
    with contextlib.suppress(BrokenPipeError), process:
        process.kill()


TRIALS = Trials()
atexit.register(TRIALS.close)
