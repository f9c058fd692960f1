"""The tables of all models of this process: what several have is in memory once."""

import logging
import threading
from collections import defaultdict
from collections.abc import Callable
from weakref import WeakValueDictionary

from model_server.servables.sharding.tables.table import Content, Table

_log = logging.getLogger(__name__)


class HeldTables:
    """Tables by their content, as long as a model has them; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tables: WeakValueDictionary[Content, Table] = WeakValueDictionary()
        # Models that load the same table at the same time wait for the first of them.
        self._loads: defaultdict[Content, threading.Lock] = defaultdict(threading.Lock)

    def table(
        self, content: Content, read: Callable[[], Table], is_it: Callable[[Table], bool]
    ) -> Table:
        """The rows, from another model if one has them.

        Args:
            content: which rows.
            read: reads them.
            is_it: whether a table of that content really has these rows; a checksum of 32 bits is
                no proof.
        """
        with self._lock:
            load = self._loads[content]
        with load:
            held = self._tables.get(content)
            if held is not None and is_it(held):
                _log.info("%d bytes of a table are in memory already", held.rows.nbytes)
                return held
            table = read()
            if held is None:
                self._tables[content] = table
            return table

    @property
    def bytes(self) -> int:
        """What all of them take."""
        return sum(each.rows.nbytes for each in self._tables.values())


HELD = HeldTables()
