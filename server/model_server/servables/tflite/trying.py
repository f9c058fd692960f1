"""The program that tries TensorFlow Lite models for ``trial``, each in a fork of itself.

Reads from standard input models, each after its length in 8 bytes; answers each by two bytes on
standard output: the signal that ended the trial, 0 for none, and 1 if the model had been loaded.
"""

import os
import resource
import select
import signal
import sys
from pathlib import Path

from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from model_server.servables.tflite import soundness
from model_server.servables.tflite.blank import blank

# In seconds. Running may take long in a sound model; what crashes does so soon.
_LOADING = 120
_RUNNING = 10
_IDLE = 10.0


def main() -> None:
    """Tries what comes until nothing comes for a while."""
    # What crashes here is no news to anybody, and where memory is short this is to go, not the
    # server.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    Path("/proc/self/oom_score_adj").write_text("1000")
    requests = sys.stdin.buffer
    while select.select([requests], [], [], _IDLE)[0] and (length := requests.read(8)):
        content = requests.read(int.from_bytes(length, "little"))
        sys.stdout.buffer.write(bytes(_tried(content)))
        sys.stdout.buffer.flush()


def _tried(content: bytes) -> tuple[int, int]:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(_LOADING)
        try:
            # Whoever waits for answers must learn of the end of the process that gives them.
            os.close(sys.stdin.fileno())
            os.close(sys.stdout.fileno())
            _try(content, writing)
        finally:
            os._exit(0)
    os.close(writing)
    came = len(os.read(reading, 1))
    _, status = os.waitpid(child, 0)
    os.close(reading)
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0, came


def _try(content: bytes, loaded: int) -> None:
    interpreter = Interpreter(model_content=content)
    soundness.check(schema.Model.GetRootAs(content))
    interpreter.allocate_tensors()
    os.write(loaded, b"l")
    signal.alarm(_RUNNING)
    for details in interpreter.get_input_details():
        interpreter.set_tensor(details["index"], blank(details))
    interpreter.invoke()


if __name__ == "__main__":
    main()
