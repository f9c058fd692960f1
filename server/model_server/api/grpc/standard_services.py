"""``grpc.health.v1.Health`` and server reflection, for tools that know nothing of models."""

import threading
from collections.abc import Callable

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from model_server.service.readiness import Readiness

# TensorFlow Serving uses the short names; the full ones are what health checkers try.
_HEALTH_NAMES = (
    "",
    "ModelService",
    "PredictionService",
    "tensorflow.serving.ModelService",
    "tensorflow.serving.PredictionService",
)
_REFLECTED = ("tensorflow.serving.ModelService", "tensorflow.serving.PredictionService")


class Health:
    """The health service: SERVING when every model is ready, NOT_SERVING otherwise."""

    def __init__(self, readiness: Callable[[], Readiness]) -> None:
        self._readiness = readiness
        self._servicer = health.HealthServicer(experimental_non_blocking=True)
        self._changed = threading.Event()
        self._ended = False
        self._said: health_pb2.HealthCheckResponse.ServingStatus | None = None
        self._thread = threading.Thread(target=self._follow, name="health", daemon=True)

    def add_to(self, server: grpc.Server) -> None:
        """Registers the service, before the server is started, and begins to follow."""
        health_pb2_grpc.add_HealthServicer_to_server(self._servicer, server)
        self._say(health_pb2.HealthCheckResponse.NOT_SERVING)
        self._thread.start()

    def changed(self) -> None:
        """Something that readiness depends on may have changed; never waits."""
        self._changed.set()

    def end(self) -> None:
        """Says NOT_SERVING to everybody who watches, and follows no longer."""
        self._ended = True
        self._changed.set()
        self._servicer.enter_graceful_shutdown()

    def _follow(self) -> None:
        while not self._ended:
            # Some causes, like a version folder that vanished, tell nobody: so look now and then.
            self._changed.wait(timeout=1)
            self._changed.clear()
            ready = self._readiness().ready
            answer = health_pb2.HealthCheckResponse
            self._say(answer.SERVING if ready else answer.NOT_SERVING)

    def _say(self, status: health_pb2.HealthCheckResponse.ServingStatus) -> None:
        # Those who watch are sent every status that is set, even the one they know.
        if status != self._said:
            self._said = status
            for name in _HEALTH_NAMES:
                self._servicer.set(name, status)


def add_reflection(server: grpc.Server, *, with_health: bool) -> None:
    """Registers reflection, before the server is started."""
    names = [*_REFLECTED, reflection.SERVICE_NAME]
    if with_health:
        names.append(health.SERVICE_NAME)
    reflection.enable_server_reflection(names, server)
