"""Re-reads the file that lists the models, as often as a flag says."""

import logging
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from model_server.core.errors import ServingError

_log = logging.getLogger(__name__)


class ConfigPoller:
    """Reads a configuration again and again and applies it; what goes wrong is only logged.

    The same trouble is logged once, until the configuration is taken or another trouble comes.
    ``read`` returns a ModelServerConfig and raises ValueError; ``apply`` raises ServingError.
    """

    def __init__(
        self, read: Callable[[], Any], apply: Callable[[Any], None], interval: timedelta
    ) -> None:
        self._read = read
        self._apply = apply
        self._interval = interval
        self._told = ""
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._poll, name="config-poller", daemon=True)

    def start(self) -> None:
        """Begins, with a wait."""
        self._thread.start()

    def stop(self) -> None:
        """Ends, without waiting for a configuration that is being applied."""
        self._ended.set()

    def _poll(self) -> None:
        while not self._ended.wait(self._interval.total_seconds()):
            try:
                self._apply(self._read())
                self._told = ""
            except (ValueError, ServingError) as error:
                self._tell(str(error))
            except Exception:
                # The outermost frame of the thread: the next configuration must find it alive.
                _log.exception("the model configuration was not taken, unexpectedly")

    def _tell(self, trouble: str) -> None:
        if trouble != self._told:
            _log.error("The model configuration was not taken: %s", trouble)
        self._told = trouble
