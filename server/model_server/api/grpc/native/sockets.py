"""Listening sockets for a transport that is given them by their descriptors."""

import os
import socket
import stat
from contextlib import suppress

_BACKLOG = 1024


def tcp(port: int) -> socket.socket:
    """One on all addresses; port 0 lets the system choose. Raises OSError if it is taken."""
    return socket.create_server(("0.0.0.0", port), backlog=_BACKLOG)


def unix(path: str) -> socket.socket:
    """One at a path, in place of a socket that is there already. Raises OSError."""
    remove(path)
    listening = socket.socket(socket.AF_UNIX)
    try:
        listening.bind(path)
        listening.listen(_BACKLOG)
    except OSError:
        listening.close()
        raise
    return listening


def remove(path: str) -> None:
    """Removes a socket, and nothing else that may be there."""
    with suppress(OSError):
        if stat.S_ISSOCK(os.stat(path).st_mode):
            os.unlink(path)
