"""The port of the extension modelfleet-transport, and the threads that take what comes to it."""

import logging
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from model_server.api.sockets import CannotListen
from model_server.core.errors import ServingError
from model_server.options.cpus import CPUS
from model_server.options.tls import TlsFile

_log = logging.getLogger(__name__)

# Calls of each API that came and that no thread took yet.
QUEUED = 16_384
# Seconds. Who takes longer than that is not waited for by the calls behind it: a hand-over to
# another thread costs about a tenth of it, and where threads contend for Python's lock, more.
SLOW_CALL = 0.0003
# Who takes less is answered in a thread that serves connections. What takes longer is better spread
# over all CPUs: measured on 2, with 8 clients of 0.2 ms each, 1.6 times as many were answered so.
QUICK = 0.0001
SLOW_REQUEST = 0.001

# Threads that serve connections: one for two CPUs, because the other half is for TensorFlow and
# Python. Measured on 2 CPUs, with clients beside them: two were slower than one by a sixth.
_LOOPS = max(1, min(CPUS // 2, 4))

_T = TypeVar("_T")


class _Asider(Protocol):
    def step_aside(self) -> None:
        """Has another thread take what comes until this one has answered."""


class Pace:
    """Has threads step aside for models whose last call was slow; thread-safe as a set is."""

    def __init__(self, limit: float) -> None:
        """A call is slow from ``limit`` seconds on."""
        self._limit = limit
        self._slow: set[str] = set()

    def run(self, model: str, call: _Asider, answer: Callable[[], _T]) -> _T:
        """What the call is answered, after stepping aside if that was slow the last time."""
        slow = self._slow
        was_slow = model in slow
        if was_slow:
            call.step_aside()
        began = time.perf_counter()
        response = answer()
        if (time.perf_counter() - began > self._limit) is not was_slow:
            if was_slow:
                slow.discard(model)
            else:
                slow.add(model)
        return response


@dataclass(frozen=True)
class Terms:
    """What the clients of one socket can take; times are in seconds.

    ``connections``, of each so many ``streams``, ``header`` bytes of a request; ``first`` to say
    something, and for the header of each request; ``patience`` to read an answer, at 64 KiB a
    second. One connection more is refused, or where ``idle_give_way``, takes the place of the one
    that has been idle for longest. ``strangers`` may come without the certificate that ``tls`` asks
    for.
    """

    tls: TlsFile | None
    first: float
    strangers: bool = False
    connections: int = 4096
    idle_give_way: bool = False
    streams: int = 1024
    header: int = 16 * 2**10
    patience: float = 30.0


class NativePort:
    """Serves gRPC, REST or both on each of its sockets: what is said to be served before."""

    def __init__(self) -> None:
        """Raises CannotListen where the extension is not installed."""
        try:
            from modelfleet_transport import Bell, Call, Port, Request, RunError
        except ImportError as error:
            raise CannotListen(
                "--transport=native needs the package modelfleet-transport, which is not installed"
            ) from error
        self.call: type = Call
        self.request: type = Request
        self.run_error: type[Exception] = RunError
        self._port = Port(self._start_one_more, _LOOPS)
        self._answers: dict[type, Callable[[Any], None]] = {Bell: _hear}
        self._threads = 0
        self._lacks_threads = False
        self._watching = threading.Thread(target=self._watch, name="native-watch", daemon=True)

    def serve_grpc(self, answer: Callable[[Any], None], **limits: Any) -> None:
        """Has calls answered, within what ``Port.serve_grpc`` can limit."""
        self._answers[self.call] = answer
        self._port.serve_grpc(**limits)

    def serve_rest(self, answer: Callable[[Any], None], **limits: Any) -> None:
        """Has requests answered, within what ``Port.serve_rest`` can limit."""
        self._answers[self.request] = answer
        self._port.serve_rest(**limits)

    def listen(self, listening: socket.socket, terms: Terms) -> None:
        """Takes this socket over. Raises CannotListen for a key that rustls cannot use."""
        try:
            self._port.listen(
                listening.fileno(),
                unix=listening.family == socket.AF_UNIX,
                connections=terms.connections,
                idle_give_way=terms.idle_give_way,
                streams=terms.streams,
                header=terms.header,
                first=terms.first,
                patience=terms.patience,
                tls=terms.tls.now if terms.tls else None,
                strangers=terms.strangers,
            )
        except (ValueError, OverflowError) as error:
            listening.close()
            raise CannotListen(str(error)) from error
        listening.detach()

    def start(self) -> None:
        """Begins to serve, unless it does so already."""
        if self._watching.ident is None:
            self._port.start()
            self._watching.start()
            self._start_thread()

    def signature_for(self, first: Any, decide: Callable[[Any], Any]) -> Any:
        """The ``modelfleet_transport.Signature`` that answers a ``First``; None if Python has to.

        ``decide`` says so by whom it is for, and is asked once for those that are for the same;
        what it refuses, by a ServingError, is for Python, and asked again.
        """
        whom = first.unknown
        if whom is None:
            return first.signature
        generation = self._port.generation()
        try:
            signature = decide(whom)
        except ServingError:
            return None
        self._port.remember(generation, whom, signature)
        return signature

    def forget(self) -> None:
        """Has it decided anew for all, because something is no longer as it was."""
        self._port.forget()

    def drain(self) -> None:
        """Takes nothing new any more."""
        self._port.drain()

    def stop(self, grace: float) -> None:
        """Drains, waits for what is at hand at most ``grace`` seconds, closes."""
        self._port.stop(grace)
        if self._watching.ident is not None:
            self._watching.join()

    def _start_thread(self) -> None:
        name = f"native-{self._threads}"
        threading.Thread(target=self._work, name=name, daemon=True).start()
        self._threads += 1

    def _start_one_more(self) -> None:
        try:
            self._start_thread()
            self._lacks_threads = False
        except RuntimeError as error:
            # Those that there are go on, and the next call that finds none free asks for one again.
            if not self._lacks_threads:
                _log.warning("no more than %d threads can answer: %s", self._threads, error)
            self._lacks_threads = True
            self._port.not_started()

    def _watch(self) -> None:
        while (to_do := self._port.watch()) is not None:
            to_do()

    def _work(self) -> None:
        self._port.enter()
        while (work := self._port.take()) is not None:
            self._answers[type(work)](work)


def _hear(bell: Any) -> None:
    for bundle in bell.heard():
        bundle()
    bell.ring()
