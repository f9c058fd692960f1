"""The REST server over the extension modelfleet-transport: HTTP outside Python's lock."""

import logging
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any
from urllib.parse import unquote

from model_server.api import sockets
from model_server.api.criticality import HEADER, may_be_shed
from model_server.api.direct import Direct
from model_server.api.fair_turns import FairTurns
from model_server.api.native_port import QUEUED, SLOW_CALL, SLOW_REQUEST, NativePort, Pace, Terms
from model_server.api.rest import body, pages, routes
from model_server.api.rest.answers import Later
from model_server.api.rest.in_turn import Answer, InTurn, asked, tell
from model_server.api.rest.listening import MANY_VALUES, MEASURED, WAITING, Listen
from model_server.api.rest.pages import Page, Visit, Watch
from model_server.api.rest.routes import Route
from model_server.core.client import Client, working_for
from model_server.core.errors import Code, ServingError
from model_server.core.going_on import go_on
from model_server.service.metrics.outcome import outcome
from model_server.telemetry.tracing import NO_TRACING, Asked, Tracing

_log = logging.getLogger(__name__)


class NativeRestEndpoint:
    """Serves what ``RestEndpoint`` serves, with the same limits; over HTTP/2, too."""

    def __init__(
        self,
        listen: Listen,
        answer: Answer,
        watch: Watch,
        refused: Callable[[], None] = lambda: None,
        tracing: Tracing = NO_TRACING,
    ) -> None:
        """``refused`` is told of each request above the limit.

        Raises CannotListen where the extension is not installed.
        """
        self._listen = listen
        self._watch = watch
        self._refused = refused
        self._tracing = tracing
        turns = FairTurns(listen.threads, listen.own, WAITING, refused)
        self._turns = turns
        self._in_turn = InTurn(answer, turns, listen.models, tracing)
        # For bodies of many values, one at a time: each takes much memory, and long.
        self._large = FairTurns(1, 0, WAITING, refused)
        # One at a time, because only then the limit counts what came out of the last one.
        self._measuring = FairTurns(1, 0, WAITING, refused)
        self._pace = Pace(SLOW_REQUEST)
        # As calls of gRPC these hold Python's lock for a moment only.
        self._direct_pace = Pace(SLOW_CALL)
        self._later: Callable[[Route, bytes], Later | None] = lambda _route, _body: None
        self._direct: Direct | None = None
        self._port = listen.shared or NativePort()
        self._serve_port()

    def _serve_port(self) -> None:
        listen = self._listen
        self._port.serve_rest(
            self._answer_request,
            in_flight=listen.in_flight,
            at_hand=listen.body.together,
            body=listen.body.bytes,
            patience=listen.body.patience,
            slowest=listen.body.slowest,
            timeout=listen.timeout,
            cors=listen.cors,
            waiting=QUEUED,
            threads=listen.threads + 2 * WAITING,
            refused=self._refused,
        )

    def start(self) -> int | None:
        """Opens the port and returns it, None without one. Raises OSError if it cannot be."""
        port = None
        if self._listen.port is not None:
            listening = sockets.tcp_of_both_versions(self._listen.port)
            port = listening.getsockname()[1]
            terms = Terms(
                self._listen.tls,
                self._listen.idle,
                strangers=True,
                connections=self._listen.connections.most,
                idle_give_way=True,
                patience=self._listen.connections.patience,
            )
            self._port.listen(listening, terms)
        self._port.start()
        return port

    def stop(self, grace: float) -> None:
        """Refuses new connections, waits for running requests at most ``grace`` seconds, ends."""
        self._port.stop(grace)

    def answer_later_by(self, later: Callable[[Route, bytes], Later | None]) -> None:
        """Has what this gives some work for answered by it, and not by a thread that waits."""
        self._later = later

    def answer_directly_by(self, direct: Direct | None) -> None:
        """Has this decide which requests are answered without Python."""
        self._direct = direct
        if direct is not None:
            direct.otherwise.add(self._port.request, self)

    def forget(self) -> None:
        """Has requests looked at anew that were answered without Python."""
        self._port.forget()

    def _answer_request(self, request: Any) -> None:
        _send_page(request, self._page)

    def by_python(self, request: Any) -> None:
        """See Otherwise."""
        _send_page(request, self._page_by_python)

    def failed(self, request: Any, code: int, message: str) -> None:
        """See Otherwise."""
        direct = self._direct
        assert direct is not None
        _send_page(request, lambda request: direct.refuse(request.first.signature, code, message))

    def fault(self, request: Any) -> None:
        """See Otherwise."""
        _log.exception("a request failed unexpectedly")
        _send(request, pages.refusal(pages.FAULT))

    def _page(self, request: Any) -> Page | None:
        """The answer; None if it comes later."""
        visit = Visit(
            request.method, request.target, request.header("origin") or "", request.is_stranger
        )
        page = pages.page(self._watch, visit)
        if page is not None:
            return page
        return None if self._is_answered_directly(request) else self._page_by_python(request)

    def _is_answered_directly(self, request: Any) -> bool:
        direct = self._direct
        if direct is None:
            return False
        first = request.first
        signature = self._port.signature_for(first, direct.of_target)
        if signature is None:
            return False
        failure, model = first.failure, signature.model
        if failure is None:
            # Such models have no limit of their own.
            turn = self._turns.turn(model)
            with working_for(_asking(request)), direct.at_hand(model, "REST"), turn:
                try:
                    answer = partial(first.answer_by, signature)
                    return bool(self._direct_pace.run(model, request, answer))
                except self._port.run_error as error:
                    failure = error.args
        direct.refuse(signature, *failure)

    def _page_by_python(self, request: Any) -> Page | None:
        asking = _asking(request)
        text = self._api(request, asking, routes.route(request.method, request.target))
        return None if text is None else Page(200, text)

    def _api(self, request: Any, asking: Client, route: Route) -> str | None:
        model = self._in_turn.model(route)
        about = asked(
            request.method, unquote(request.target.partition("?")[0]), route, request.header
        )
        with working_for(asking), self._listen.models.request(model, self._refused):
            sent, values = self._measured(request, model)
            is_large = values > MANY_VALUES
            later = None if is_large else self._later(route, sent)
            at_hand = [sent]
            del sent
            if later is None:
                with self._large.turn(model) if is_large else nullcontext():
                    answer = partial(self._in_turn, asking, about, route, at_hand.pop)
                    return self._pace.run(model, request, answer)
        go_on(self._answer_later(request, asking, about, model, later))
        return None

    async def _answer_later(
        self, request: Any, asking: Client, about: Asked, model: str, later: Later
    ) -> None:
        # Without a turn, because none of the threads is held while it waits.
        limit = self._listen.models.request(model, self._refused)
        try:
            with (
                self._tracing.request(about) as span,
                outcome(partial(tell, span)),
                working_for(asking),
                limit,
            ):
                page = Page(200, await later())
        except ServingError as error:
            page = pages.refusal(error)
        except BaseException:
            # Also what ends threads: this one is of those that run batches, and serves others.
            _log.exception("a request failed unexpectedly")
            page = pages.refusal(pages.FAULT)
        _send(request, page)

    def _measured(self, request: Any, model: str) -> tuple[bytes, int]:
        """The body unpacked, and how many values it has if it may have many."""
        sent = request.body()
        zipped = "gzip" in (request.header("content-encoding") or "")
        if not zipped and len(sent) <= MEASURED:
            return sent, 0
        request.step_aside()
        with self._measuring.turn(model):
            plain, values = body.plain(sent, self._listen.body, zipped=zipped)
            taken = request.hold(max(len(plain) - len(sent), 0))
        if taken is not None:
            raise ServingError(
                Code.RESOURCE_EXHAUSTED,
                f"The server has {taken} bytes of bodies at hand; try again",
            )
        return plain, values


def _send_page(request: Any, found: Callable[[Any], Page | None]) -> None:
    try:
        page = found(request)
    except ServingError as error:
        page = pages.refusal(error)
    except Exception:
        # The outermost frame of a request: a fault of ours must not end the thread.
        _log.exception("a request failed unexpectedly")
        page = pages.refusal(pages.FAULT)
    if page is not None:
        _send(request, page)


def _send(request: Any, page: Page) -> None:
    request.answer(page.status, page.content_type, page.body, page.headers)


def _asking(request: Any) -> "_Client":
    """Who waits. Raises ServingError, CANCELLED, if nobody does any more."""
    # Without a deadline, which the port keeps: it must not be told in two ways.
    asking = _Client(request)
    if not request.when_gone(asking.gone):
        raise ServingError(Code.CANCELLED, "The client is gone")
    return asking


class _Client(Client):
    """Whoever sent a request."""

    def __init__(self, request: Any) -> None:
        super().__init__(may_be_shed=may_be_shed(request.header(HEADER)))
        self._request = request

    def about_to_wait(self) -> None:
        """See Client."""
        self._request.step_aside()
