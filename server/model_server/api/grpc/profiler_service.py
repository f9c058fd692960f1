"""``tensorflow.ProfilerService``: records what TensorFlow does, for TensorBoard's profile page.

Source: TensorFlow ``xla/tsl/profiler/rpc/profiler_service_impl.cc``. Unlike it, an answer never
waits longer than an hour, and nothing is written above the folder that the request names.
"""

import threading
import time
from typing import Any

import grpc
from tensorflow.tsl.profiler.protobuf.xplane_pb2 import XSpace

from model_server.api.grpc.profiler_messages import (
    MonitorRequest,
    ProfileRequest,
    ProfileResponse,
    TerminateRequest,
    TerminateResponse,
)
from model_server.api.grpc.unary import Handler, serializing, unary, with_context
from model_server.core.errors import Code, ServingError
from model_server.servables import profiling

SERVICE = "tensorflow.ProfilerService"
_LONGEST = 3600.0
_LOOK_AT_CLIENT = 0.1


class ProfilerService:
    """One recording at a time; many clients may ask to end it."""

    def __init__(self) -> None:
        self._ends: dict[str, threading.Event] = {}

    def handlers(self) -> dict[str, Handler]:
        """The handler of each method, by its full path."""
        return {
            f"/{SERVICE}/Profile": with_context(ProfileRequest, self.profile),
            f"/{SERVICE}/Terminate": unary(TerminateRequest, serializing(self.terminate)),
            f"/{SERVICE}/Monitor": unary(MonitorRequest, serializing(self.monitor)),
        }

    def profile(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Records for as long as the request says, and saves or returns it. Raises ServingError."""
        _check(request)
        end = threading.Event()

        def wait() -> None:
            # Here, because only one recording at a time comes here.
            self._ends[request.session_id] = end
            _wait(end, request, context)

        try:
            recorded = profiling.record(_levels(request), wait)
        finally:
            if self._ends.get(request.session_id) is end:
                del self._ends[request.session_id]
        response = ProfileResponse(empty_trace=_is_empty(recorded))
        if request.repository_root:
            folder = f"{request.repository_root.rstrip('/')}/{request.session_id}"
            # As TensorFlow names it: a colon is no part of a file name everywhere.
            profiling.save(recorded, folder, request.host_name.replace(":", "_"))
        if request.emit_xspace:
            response.xspace.MergeFromString(recorded)
        return response

    def terminate(self, request: Any) -> Any:
        """Ends the session of this id now, if it is being recorded; what was recorded is kept."""
        end = self._ends.get(request.session_id)
        if end is not None:
            end.set()
        return TerminateResponse()

    def monitor(self, _request: Any) -> Any:
        """TensorFlow has this for its TPUs only. Raises ServingError, UNIMPLEMENTED."""
        raise ServingError(Code.UNIMPLEMENTED, "unimplemented.")


def _wait(end: threading.Event, request: Any, context: grpc.ServicerContext) -> None:
    until = time.monotonic() + _delay(request) + request.duration_ms / 1000
    while (left := until - time.monotonic()) > 0 and not end.wait(min(left, _LOOK_AT_CLIENT)):
        if not context.is_active():
            raise ServingError(Code.CANCELLED, "The client of the profile is gone")


def _delay(request: Any) -> float:
    """Seconds until the moment that all hosts of a session begin; 0 if it is past."""
    start: int = request.opts.start_timestamp_ns
    return max(0.0, start / 1e9 - time.time())


def _check(request: Any) -> None:
    if request.duration_ms / 1000 + _delay(request) > _LONGEST:
        raise _invalid(f"A profile takes at most {_LONGEST:g} seconds, its delay included")
    if not request.repository_root and not request.emit_xspace:
        raise _invalid("Either repository_root or emit_xspace must be set")
    if not request.repository_root:
        return
    for field in ("session_id", "host_name"):
        value = getattr(request, field)
        if not value or "/" in value or "\\" in value or "\0" in value or value in (".", ".."):
            raise _invalid(f"{field} must be one part of a path, not {value!r}")


def _levels(request: Any) -> profiling.Levels:
    if not request.HasField("opts"):
        return profiling.Levels()
    opts = request.opts
    return profiling.Levels(
        opts.host_tracer_level, opts.python_tracer_level, opts.device_tracer_level
    )


def _is_empty(recorded: bytes) -> bool:
    planes = XSpace.FromString(recorded).planes
    return not any(line.events for plane in planes for line in plane.lines)


def _invalid(message: str) -> ServingError:
    return ServingError(Code.INVALID_ARGUMENT, message)
