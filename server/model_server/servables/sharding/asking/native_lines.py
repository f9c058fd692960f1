"""Calls over the extension modelfleet-transport: one step out of Python for all of them."""

from collections import Counter
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec

from model_server.core.errors import Code, ServingError
from model_server.servables.sharding.asking.methods import PREDICT

_EXTENSION = "modelfleet_transport"
_CODES = {int(code): code for code in Code}
_FAILURES = frozenset({Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED})


def is_installed() -> bool:
    """Whether the extension is there, and new enough to call others."""
    return find_spec(_EXTENSION) is not None and hasattr(import_module(_EXTENSION), "ask")


class NativeLines:
    """See Lines. Each thread that asks has connections of its own."""

    def __init__(self, timeout_seconds: float) -> None:
        self._extension = import_module(_EXTENSION)
        self._timeout = timeout_seconds
        # By address. After one of any thread failed, no thread trusts those that it has.
        self._failures: Counter[str] = Counter()

    def ask(self, messages: Sequence[tuple[str, bytes]]) -> list[bytes | ServingError]:
        """See Lines.ask."""
        if not messages:
            return []
        calls = [((address, self._failures[address]), message) for address, message in messages]
        answers = self._extension.ask(PREDICT, calls, self._timeout)
        found: list[bytes | ServingError] = []
        for (address, _), (code, said, answer) in zip(messages, answers, strict=True):
            found.append(self._error(address, code, said) if code else answer)
        return found

    def _error(self, address: str, number: int, said: str) -> ServingError:
        code = _CODES.get(number, Code.UNKNOWN)
        if code in _FAILURES:
            self._failures[address] += 1
        return ServingError(code, said)
