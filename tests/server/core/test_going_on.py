"""Work that waits for a future is done by whoever ends it, and sees what it saw before."""

import threading
from concurrent.futures import Future
from contextvars import ContextVar

from model_server.core.going_on import ended, go_on

WHOSE = ContextVar("whose", default="nobody")


def test_what_ends_the_wait_does_the_rest_with_the_variables_of_the_beginning():
    awaited: Future[int] = Future()
    seen = []

    async def work() -> None:
        token = WHOSE.set("mine")
        number = await ended(awaited)
        seen.append((number, WHOSE.get(), threading.current_thread().name))
        WHOSE.reset(token)

    go_on(work())
    assert seen == []
    ending = threading.Thread(target=awaited.set_result, args=(5,), name="ending")
    ending.start()
    ending.join()

    assert seen == [(5, "mine", "ending")]
    assert WHOSE.get() == "nobody"


def test_what_is_there_already_is_not_waited_for():
    awaited: Future[int] = Future()
    awaited.set_result(5)
    seen = []

    async def work() -> None:
        seen.append(await ended(awaited))

    go_on(work())

    assert seen == [5]
