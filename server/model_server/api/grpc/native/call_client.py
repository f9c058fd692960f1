"""Who waits for the answer to a call of the native transport; asked only for what is needed."""

import time
from collections.abc import Callable

from model_server.api.criticality import HEADER, may_be_shed
from model_server.api.grpc.native.call_context import CallContext
from model_server.core.client import Client

# Seconds; a deadline beyond is none.
_LONG = 86_400.0


class CallClient(Client):
    """Whoever sent a call, whose deadline and criticality are looked for when they are needed."""

    _is_followed = False

    def __init__(self, context: CallContext) -> None:
        super().__init__()
        self._context = context

    @property
    def deadline(self) -> float | None:
        """See Client."""
        remaining = self._context.time_remaining()
        return None if remaining is None or remaining > _LONG else time.monotonic() + remaining

    @property
    def may_be_shed(self) -> bool:
        """See Client."""
        return may_be_shed(self._context.header(HEADER))

    def about_to_wait(self) -> None:
        """See Client."""
        self._context.step_aside()

    def when_gone(self, call: Callable[[], object] | None) -> None:
        """See Client."""
        if not self._is_followed and call is not None:
            self._is_followed = True
            if not self._context.add_callback(self.gone):
                self.gone()
        super().when_gone(call)
