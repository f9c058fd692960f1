"""A way between two servers that a test can cut, mend, and lead elsewhere."""

import socket
import threading
from contextlib import suppress


class Cable:
    """Listens on a port of its own, and hands on what comes to `port`, unless it is cut."""

    def __init__(self, port):
        self.port = port
        self._whole = threading.Event()
        self._whole.set()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.end = self._listening.getsockname()[1]
        self._sockets = []
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self):
        """From now on nothing comes through, and nobody is told."""
        self._whole.clear()

    def mend(self):
        """What was sent meanwhile comes through."""
        self._whole.set()

    def close(self):
        """Ends all connections."""
        self._whole.set()
        for each in (self._listening, *self._sockets):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self):
        with suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                self._sockets.append(near)
                threading.Thread(target=self._join, args=[near], daemon=True).start()

    def _join(self, near):
        self._whole.wait()
        try:
            far = socket.create_connection(("127.0.0.1", self.port))
        except OSError:
            near.close()
            return
        self._sockets.append(far)
        for one, other in ((near, far), (far, near)):
            threading.Thread(target=self._pump, args=[one, other], daemon=True).start()

    def _pump(self, one, other):
        with suppress(OSError):
            while data := one.recv(2**16):
                self._whole.wait()
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)
