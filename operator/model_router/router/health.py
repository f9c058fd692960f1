"""What a router tells over HTTP: GET /healthz, /readyz, /metrics and /counts."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from model_router.envoy.admin import AdminError
from model_router.router.model import ModelStatus


@dataclass(frozen=True)
class Health:
    """What the probes are told."""

    ready: bool
    models: tuple[ModelStatus, ...]

    def body(self) -> bytes:
        """The JSON of /readyz."""
        models = [
            {
                "name": model.name,
                "ready": model.routed,
                "reason": model.reason.value,
                "message": model.message,
                "weights": {share.revision: share.weight for share in model.split},
            }
            for model in self.models
        ]
        return json.dumps({"ready": self.ready, "models": models}).encode()


@dataclass(frozen=True)
class Answers:
    """Where answers come from; `metrics` and `counts` raise AdminError when Envoy is silent."""

    health: Callable[[], Health]
    metrics: Callable[[], bytes]
    counts: Callable[[], bytes]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], answers: Answers) -> None:
        super().__init__(address, _Handler)
        self.answers = answers


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 10  # seconds a client may take to send its request

    def do_GET(self) -> None:
        match self.path:
            case "/healthz":
                self._answer(200, "text/plain", b"ok")
            case "/readyz":
                found = self.server.answers.health()
                self._answer(200 if found.ready else 503, "application/json", found.body())
            case "/metrics":
                self._answer_from(self.server.answers.metrics, "text/plain; version=0.0.4")
            case "/counts":
                self._answer_from(self.server.answers.counts, "application/json")
            case _:
                said = b"there are /healthz, /readyz, /metrics and /counts"
                self._answer(404, "text/plain", said)

    def _answer_from(self, source: Callable[[], bytes], kind: str) -> None:
        try:
            self._answer(200, kind, source())
        except AdminError as error:
            self._answer(503, "text/plain", str(error).encode())

    def _answer(self, code: int, kind: str, body: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Probes come every few seconds and are no news."""


class HealthServer:
    """Answers in a thread of its own, so that a busy loop still shows as alive or not ready.

    Raises OSError from the constructor when the port cannot be had.
    """

    def __init__(self, address: str, port: int, answers: Answers) -> None:
        self._server = _Server((address, port), answers)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,))

    @property
    def port(self) -> int:
        """The port it answers on."""
        return int(self._server.server_address[1])

    def __enter__(self) -> HealthServer:
        self._thread.start()
        return self

    def __exit__(self, *_how: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
