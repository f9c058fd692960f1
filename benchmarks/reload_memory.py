"""How much memory a server holds after it has loaded a model of 50 MB again and again.

Run ``python benchmarks/reload_memory.py [RELOADS]``; prints resident megabytes after each tenth,
and without the model at the end.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# As the command does; 0 shows what happens without. TensorFlow reads it when it is imported.
os.environ.setdefault("TF_ONEDNN_USE_SYSTEM_ALLOCATOR", "1")

import tensorflow as tf
from google.protobuf import text_format
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from model_server.core.servable import State
from model_server.options.flags import Options
from model_server.servables import allocator
from model_server.server import Server

_FLOATS = 50_000_000 // 4
_PORT = 18500


class _Weighty(tf.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weights = tf.Variable(tf.random.uniform([_FLOATS]))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        return x + tf.reduce_mean(self.weights)


def main() -> None:
    """Loads the model as versions 1, 2, ... and removes each one when the next is available."""
    allocator.set_up(os.environ)
    reloads = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    with tempfile.TemporaryDirectory() as folder:
        base, saved = Path(folder, "weighty"), Path(folder, "saved")
        tf.saved_model.save(_Weighty(), str(saved))
        base.mkdir()
        _add(saved, base, 1)
        entry = f'config {{ name: "m" base_path: "{base}" model_platform: "tensorflow" }}'
        config = text_format.Parse(f"model_config_list {{ {entry} }}", ModelServerConfig())
        server = Server(Options(port=_PORT), config)
        server.start()
        for version in range(1, reloads + 2):
            _await_only(server, version)
            if version % 10 == 1:
                print(f"after {version - 1} reloads: {_resident()} MB", flush=True)
            if version <= reloads:
                _add(saved, base, version + 1)
        (base / str(reloads + 1)).rename(Path(folder, "away"))
        server._models.reload(text_format.Parse("model_config_list {}", ModelServerConfig()))
        time.sleep(5)
        print(f"without the model: {_resident()} MB", flush=True)
        server.stop(grace=1)


def _add(saved: Path, base: Path, version: int) -> None:
    # Links cost no disk, and the rename shows the version whole.
    hidden = base.parent / "hidden"
    for source in filter(Path.is_file, saved.rglob("*")):
        target = hidden / source.relative_to(saved)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.hardlink_to(source)
    hidden.rename(base / str(version))


def _await_only(server: Server, version: int) -> None:
    while True:
        states = {s.id.version: s.state for s in server._manager.statuses("m")}
        others = {state for number, state in states.items() if number != version}
        if states.get(version) is State.AVAILABLE and others <= {State.END}:
            return
        time.sleep(0.02)


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 10**6


if __name__ == "__main__":
    main()
