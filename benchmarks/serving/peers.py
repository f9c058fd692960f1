"""The servers that are compared: what each needs, what it speaks, and how it is started."""

import json
import re
import sys
import sysconfig
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from benchmarks.serving import wire
from benchmarks.serving.models import KINDS, Model
from benchmarks.serving.processes import Command, free_port
from benchmarks.serving.wire import Protocol

_SERVERS = Path(__file__).parent / "servers"
_TENSORFLOW = "tensorflow-cpu>=2.21,<2.22"
_ONE_THREAD = {"INTRA_OP_THREADS": "1"}


@dataclass(frozen=True)
class Start:
    """What a peer is started with: its Python, the model, and a folder of its own."""

    python: Path
    model: Model
    folder: Path


@dataclass(frozen=True)
class Peer:
    """A server; ``needs`` are packages of an environment of its own, none is this one.

    It is measured with these ``models``, or with all.
    """

    name: str
    command: Callable[[Start], Command]
    needs: Sequence[str] = ()
    protocol: Callable[[Model], Protocol] = wire.open_inference
    models: Sequence[str] = tuple(KINDS)

    @property
    def folder(self) -> str:
        """A name for its files."""
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower())


def _ours(*flags: str) -> Callable[[Start], Command]:
    def command(start: Start) -> Command:
        grpc, rest = free_port(), free_port()
        words = [
            str(start.python.with_name("model-server")),
            f"--port={grpc}",
            f"--rest_api_port={rest}",
            f"--model_name={start.model.name}",
            f"--model_base_path={start.model.base}",
            *flags,
        ]
        return Command(words, grpc, rest)

    return command


def _with_onednn(peer: Peer) -> Peer:
    """The same for convolutions, with oneDNN's operations: some processors have them by default."""

    def command(start: Start) -> Command:
        found = peer.command(start)
        environment = {**found.environment, "TF_ENABLE_ONEDNN_OPTS": "1"}
        return replace(found, environment=environment)

    return replace(peer, name=f"{peer.name}, oneDNN", command=command, models=("cnn",))


def _grpcio(start: Start) -> Command:
    return plain_grpcio(start.python, [start.model])


def plain_grpcio(python: Path, models: Sequence[Model]) -> Command:
    """Two processes of plain grpcio that answer for these models."""
    port = free_port()
    script = str(_SERVERS / "grpcio_server.py")
    first, *more = ([str(model.base), model.name] for model in models)
    words = [str(python), script, *first, str(port), "2", *(word for each in more for word in each)]
    return Command(words, port, None, _ONE_THREAD)


def _kserve(start: Start) -> Command:
    grpc, rest = free_port(), free_port()
    script = str(_SERVERS / "kserve_server.py")
    words = [str(start.python), script, f"--grpc_port={grpc}", f"--http_port={rest}", "--workers=2"]
    model = {"MODEL_FOLDER": str(start.model.base), "MODEL_NAME": start.model.name}
    return Command(words, grpc, rest, _ONE_THREAD | model)


def _mlserver(start: Start) -> Command:
    grpc, rest, metrics = free_port(), free_port(), free_port()
    settings = {
        "grpc_port": grpc,
        "http_port": rest,
        "metrics_port": metrics,
        "host": "127.0.0.1",
        "parallel_workers": 0,
    }
    model = {
        "name": start.model.name,
        "implementation": "mlserver_model.TensorFlowModel",
        "parameters": {"uri": str(start.model.base)},
    }
    start.folder.mkdir(parents=True, exist_ok=True)
    (start.folder / "settings.json").write_text(json.dumps(settings))
    (start.folder / "model-settings.json").write_text(json.dumps(model))
    words = [str(start.python.with_name("mlserver")), "start", str(start.folder)]
    return Command(words, grpc, rest, {"PYTHONPATH": str(_SERVERS)}, start.folder)


def _pytriton(start: Start) -> Command:
    grpc, rest, metrics = free_port(), free_port(), free_port()
    words = [
        str(start.python),
        str(_SERVERS / "pytriton_server.py"),
        str(start.model.base),
        start.model.name,
        json.dumps(list(start.model.row.shape[1:])),
        *map(str, (grpc, rest, metrics)),
    ]
    # Triton's Python process finds the modules of this Python, and so must find its library, too.
    library = {"LD_LIBRARY_PATH": sysconfig.get_config_var("LIBDIR") or ""}
    return Command(words, grpc, rest, library, start.folder)


def peers() -> list[Peer]:
    """All of them, ours first."""
    grpcio = _speaking_tensorflow_serving("grpcio and TensorFlow, 2 processes", _grpcio)
    return [
        *_all_of_ours(),
        grpcio,
        _with_onednn(grpcio),
        Peer("KServe, 2 workers", _kserve, ("kserve==0.21.0", _TENSORFLOW)),
        Peer("MLServer", _mlserver, ("mlserver==1.7.1", _TENSORFLOW)),
        Peer("PyTriton", _pytriton, ("nvidia-pytriton==0.7.0", _TENSORFLOW)),
    ]


def _all_of_ours() -> list[Peer]:
    batching, python = "--enable_batching", "--transport=python"
    one_thread = "--tensorflow_intra_op_parallelism=1"
    ours = [
        _speaking_tensorflow_serving("model-server", _ours()),
        _speaking_tensorflow_serving("model-server, batching", _ours(batching)),
        _speaking_tensorflow_serving(
            "model-server, batching, 1 thread an operation", _ours(batching, one_thread)
        ),
        _with_onednn(_speaking_tensorflow_serving("model-server, batching", _ours(batching))),
    ]
    if _has_native_transport():
        ours += [
            _speaking_tensorflow_serving("model-server, python", _ours(python)),
            _speaking_tensorflow_serving("model-server, python, batching", _ours(python, batching)),
        ]
    return ours


def _speaking_tensorflow_serving(name: str, command: Callable[[Start], Command]) -> Peer:
    return Peer(name, command, protocol=wire.tensorflow_serving)


def _has_native_transport() -> bool:
    """Whether the server's own transport for gRPC is installed beside it."""
    return find_spec("modelfleet_transport") is not None


def python_of_ours() -> Path:
    """The Python of this environment."""
    return Path(sys.executable)
