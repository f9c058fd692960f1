"""``grpc.health.v1.Health`` and server reflection, for tools that know nothing of models."""

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

from model_server.api.grpc.receiving import Receiving
from model_server.service.readiness import Readiness

# TensorFlow Serving uses the short names; the full ones are what health checkers try.
_HEALTH_NAMES = (
    "",
    "ModelService",
    "PredictionService",
    "tensorflow.serving.ModelService",
    "tensorflow.serving.PredictionService",
)
_UNKNOWN = "?"
# A client's channel watches once; a tool reflects for a moment.
_WATCHES = 1024
_REFLECTIONS = 32
_REFLECTED = ("tensorflow.serving.ModelService", "tensorflow.serving.PredictionService")


class Health:
    """The health service: SERVING when every model is ready, NOT_SERVING otherwise."""

    def __init__(self, readiness: Callable[[], Readiness]) -> None:
        self._readiness = readiness
        self._servicer = _HealthServicer()
        self._changed = threading.Event()
        self._ended = False
        self._said: health_pb2.HealthCheckResponse.ServingStatus | None = None
        self._thread = threading.Thread(target=self._follow, name="health", daemon=True)

    def add_to(self, server: Any, receiving: Receiving) -> None:
        """Registers the service with a ``grpc.Server``, or what stands for one, and follows."""
        handlers = _handlers(self._servicer, receiving)
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(health.SERVICE_NAME, handlers),)
        )
        server.add_registered_method_handlers(health.SERVICE_NAME, handlers)
        self._say(health_pb2.HealthCheckResponse.NOT_SERVING)
        self._thread.start()

    def changed(self) -> None:
        """Something that readiness depends on may have changed; never waits."""
        self._changed.set()

    def end(self) -> None:
        """Says NOT_SERVING to everybody who watches, and follows no longer."""
        self._ended = True
        self._changed.set()
        self._servicer.end()

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


class Streams:
    """At most so many at a time."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._free = threading.Semaphore(most)
        self._open: dict[grpc.ServicerContext, None] = {}

    def take(self, context: grpc.ServicerContext) -> None:
        """Counts the call until it has ended, or ends it now with RESOURCE_EXHAUSTED."""
        if not self._free.acquire(blocking=False):
            context.abort(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"{self._most} streams of this method are open, which is the limit; try again",
            )
        self._open[context] = None

        def ended() -> None:
            self._open.pop(context, None)
            self._free.release()

        if not context.add_callback(ended):
            # It has ended meanwhile, and nobody will call.
            ended()

    def cancel(self) -> None:
        """Ends those that are open."""
        for context in list(self._open):
            context.cancel()  # type: ignore[no-untyped-call]  # grpc's stubs miss it


class _HealthServicer(health.HealthServicer):
    """Bounds what those who watch can take: streams, and names that it would remember for ever."""

    def __init__(self) -> None:
        super().__init__(experimental_non_blocking=True)
        self._streams = Streams(_WATCHES)
        self._watching: dict[Any, Callable[..., Any]] = {}

    def Watch(
        self,
        request: Any,
        context: Any,
        send_response_callback: Callable[..., Any] | None = None,
    ) -> Any:
        self._streams.take(context)
        if request.service not in _HEALTH_NAMES:
            request = health_pb2.HealthCheckRequest(service=_UNKNOWN)
        super().Watch(request, context, send_response_callback)
        if send_response_callback is not None:
            self._watching[context] = send_response_callback
            if not context.add_callback(lambda: self._watching.pop(context, None)):
                self._watching.pop(context, None)

    def end(self) -> None:
        """Says NOT_SERVING, and ends the streams, for which the server would wait."""
        self.enter_graceful_shutdown()
        for send in list(self._watching.values()):
            send(None)


def _handlers(servicer: _HealthServicer, receiving: Receiving) -> dict[str, Any]:
    # Streams to grpcio, because it holds a thread for a message that does not come.
    def check(sent: Iterator[Any], context: grpc.ServicerContext) -> Any:
        return servicer.Check(receiving.message(sent, context), context)

    def watch(
        sent: Iterator[Any], context: grpc.ServicerContext, send_response_callback: Any
    ) -> None:
        servicer.Watch(receiving.message(sent, context), context, send_response_callback)

    watch.experimental_non_blocking = True  # type: ignore[attr-defined]  # grpcio looks for it
    messages = {
        "request_deserializer": health_pb2.HealthCheckRequest.FromString,
        "response_serializer": health_pb2.HealthCheckResponse.SerializeToString,
    }
    return {
        "Check": grpc.stream_unary_rpc_method_handler(check, **messages),
        "Watch": grpc.stream_stream_rpc_method_handler(watch, **messages),
    }


class _ReflectionServicer(reflection.ReflectionServicer):
    """Bounds the streams, each of which holds a thread."""

    def __init__(self, names: Iterable[str], streams: Streams) -> None:
        super().__init__(names)
        self._streams = streams

    def ServerReflectionInfo(self, request_iterator: Any, context: Any) -> Any:
        self._streams.take(context)
        return super().ServerReflectionInfo(request_iterator, context)


def add_reflection(server: Any, *, with_health: bool) -> Streams:
    """Registers reflection, as ``Health.add_to`` does; returns the streams that it opens."""
    names = [*_REFLECTED, reflection.SERVICE_NAME]
    if with_health:
        names.append(health.SERVICE_NAME)
    streams = Streams(_REFLECTIONS)
    servicer = _ReflectionServicer(names, streams)
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(servicer, server)
    return streams
