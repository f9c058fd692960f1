"""What a handler sees of a call of the native transport: grpcio's context, as far as it is used."""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import grpc

from model_server.api.criticality import HEADER, may_be_shed
from model_server.core.client import Client

_log = logging.getLogger(__name__)

# Seconds; a deadline beyond is none.
_LONG = 86_400.0


class Aborted(Exception):
    """The call was ended by its handler, and its client told why."""


class CallContext(Client):
    """Stands where handlers expect a ``grpc.ServicerContext``, and for whoever sent the call.

    Thread-safe as the call is. What most calls need not is looked for when it is asked for.
    """

    # What most calls never set.
    _is_followed = False
    _code: grpc.StatusCode | None = None
    _details = ""
    _trailing: Sequence[tuple[str, str]] = ()
    _metadata: Sequence[tuple[str, str]] | None = None
    _callbacks: list[Callable[[], object]] | None = None

    def __init__(self, call: Any) -> None:
        """``call`` is a ``modelfleet_transport.Call``."""
        # Without that of Client, for the sake of speed: what it sets is the default here.
        self._call = call

    @property
    def deadline(self) -> float | None:
        """See Client."""
        remaining = self.time_remaining()
        return None if remaining is None or remaining > _LONG else time.monotonic() + remaining

    @property
    def may_be_shed(self) -> bool:
        """See Client."""
        return may_be_shed(self.header(HEADER))

    def about_to_wait(self) -> None:
        """See Client."""
        self.step_aside()

    def when_gone(self, call: Callable[[], object] | None) -> None:
        """See Client."""
        if not self._is_followed and call is not None:
            self._is_followed = True
            if not self.add_callback(self.gone):
                self.gone()
        super().when_gone(call)

    def abort(self, code: grpc.StatusCode, details: str) -> NoReturn:
        """Ends the call with this status. Raises Aborted."""
        self._code = code
        self._call.fail(code.value[0], details, self._trailing)
        raise Aborted(details)

    def set_code(self, code: grpc.StatusCode) -> None:
        """The status with which a call ends whose handler returns."""
        self._code = code

    def set_details(self, details: str) -> None:
        """The message beside the status."""
        self._details = details

    def set_trailing_metadata(self, metadata: Sequence[tuple[str, str]]) -> None:
        """What the client is told beside a status that is not OK."""
        self._trailing = metadata

    def details(self) -> str:
        """The message that was set."""
        return self._details

    def code(self) -> grpc.StatusCode | None:
        """The status that was set, None for a good end."""
        return self._code

    def cancel(self) -> None:
        """Ends the call now."""
        self._call.fail(grpc.StatusCode.CANCELLED.value[0], "The server ended the call")

    def is_active(self) -> bool:
        """Whether somebody waits for the answer."""
        return not self._call.is_gone

    def time_remaining(self) -> float | None:
        """Seconds until the client's deadline; None without one."""
        remaining: float | None = self._call.time_remaining
        return remaining

    def add_callback(self, callback: Callable[[], object]) -> bool:
        """Calls this when nobody waits any more; False, and never, if that is so already."""
        if self._callbacks is not None:
            self._callbacks.append(callback)
            return self.is_active()
        self._callbacks = [callback]
        registered: bool = self._call.when_gone(self._gone)
        return registered

    def _gone(self) -> None:
        for callback in self._callbacks or ():
            try:
                callback()
            except Exception:
                # As grpcio: one must not keep the others from being told.
                _log.exception("a callback of a call failed")

    def invocation_metadata(self) -> Sequence[tuple[str, str]]:
        """What the client sent beside its message."""
        if self._metadata is None:
            self._metadata = self._call.metadata()
        return self._metadata

    def header(self, name: str) -> str | None:
        """What the client sent by this name, without a look at all else."""
        found: str | None = self._call.header(name)
        return found

    def step_aside(self) -> None:
        """Has another thread take the calls that come while this one is answered."""
        self._call.step_aside()

    def peer(self) -> str:
        """The client's address."""
        return str(self._call.peer)
