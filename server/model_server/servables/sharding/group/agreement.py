"""Whether a group is whole: every member is there, and their rows make the stored tables."""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from model_server.core.errors import Code, ServingError
from model_server.servables.sharding.checkpoint.checksums import combine
from model_server.servables.sharding.group.entry import Members
from model_server.servables.sharding.group.member_part import (
    PROVEN,
    SUMS,
    MemberPart,
    hello_signature,
)
from model_server.servables.signature import Tensors

_log = logging.getLogger(__name__)
_SECONDS_BETWEEN_LOOKS = 0.5
_SECONDS_WHILE_NOT_WHOLE = 0.1


@dataclass(frozen=True)
class Table:
    """A split table: the plain CRC-32C of all its bytes, and how many each member has."""

    name: str
    crc: int
    sizes: tuple[int, ...]


class Agreement:
    """Asks all members again and again, until it is closed.

    `hindrance` says why the group cannot answer, for people; None when it can.
    """

    def __init__(
        self, identity: str, members: Members, tables: Sequence[Table], own: MemberPart
    ) -> None:
        self.hindrance: str | None = "the other members have not been asked yet"
        self._signature = hello_signature(identity)
        self._members = members
        self._tables = tables
        self._own = own
        self._join: Callable[[object], str | None] = _joins
        self._prepare: Callable[[], object] | None = None
        # The sums that made the tables; a member that came back may have others.
        self._proven: list[list[int]] | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="group", daemon=True)

    def join_with(self, join: Callable[[object], str | None]) -> None:
        """Has something done whenever all members are there, other ones or the same as before.

        It gets what tells these members from others, and says why they are not joined yet.
        """
        self._join = join

    def before_first(self, prepare: Callable[[], object]) -> None:
        """Has something done once all members are there, before the group counts as whole."""
        self._prepare = prepare

    def start(self) -> None:
        """Begins to ask."""
        self._thread.start()

    def close(self) -> None:
        """Asks no more."""
        self._over.set()

    def _run(self) -> None:
        while not self._over.is_set():
            hindrance = self._look()
            if hindrance != self.hindrance:
                _log.info("group: %s", hindrance or "all members are there")
            self.hindrance = hindrance
            self._over.wait(_SECONDS_WHILE_NOT_WHOLE if hindrance else _SECONDS_BETWEEN_LOOKS)

    def _look(self) -> str | None:
        try:
            answers = self._answers()
            sums = [[int(each) for each in answer[SUMS]] for answer in answers]
            if sums != self._proven:
                self._own.is_proven, self._proven = False, None
                self._prove(sums)
                self._own.is_proven, self._proven = True, sums
            if not all(answer[PROVEN] for answer in answers):
                return "not all members have found the others yet"
            if hindrance := self._join(sums):
                return hindrance
            if self._prepare is not None:
                self._prepare()
                self._prepare = None
        except ServingError as error:
            return error.message
        return None

    def _answers(self) -> list[Tensors]:
        """What each member says. Raises ServingError with the words of all that say nothing."""
        everyone: dict[int, Tensors] = {member: {} for member in range(self._members.count)}
        answers = self._members.ask(self._signature, everyone)
        missing = [each.message for each in answers if isinstance(each, ServingError)]
        if missing:
            raise ServingError(Code.UNAVAILABLE, "; ".join(missing))
        return [each for each in answers if not isinstance(each, ServingError)]

    def _prove(self, sums: list[list[int]]) -> None:
        """Raises ServingError where the rows of the members do not make what is stored."""
        spoilt = [
            table.name
            for place, table in enumerate(self._tables)
            if _joined(table, [each[place] for each in sums]) != table.crc
        ]
        if spoilt:
            said = f"the rows of the members do not make what is stored of {', '.join(spoilt)}"
            raise ServingError(Code.DATA_LOSS, said)


def _joins(_members: object) -> None:
    """Members that ask each other need nothing more."""


def _joined(table: Table, sums: Sequence[int]) -> int:
    crc = 0
    for one, size in zip(sums, table.sizes, strict=True):
        crc = combine(crc, one, size)
    return crc
