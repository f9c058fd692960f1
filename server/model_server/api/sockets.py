"""Listening sockets, and what is raised where there can be none."""

import os
import socket
import stat
from contextlib import suppress

_BACKLOG = 1024


class CannotListen(OSError):
    """An address that cannot be listened on, or a transport that cannot do it."""


def tcp(port: int) -> socket.socket:
    """One on all addresses; port 0 lets the system choose. Raises OSError if it is taken."""
    return socket.create_server(("0.0.0.0", port), backlog=_BACKLOG)


def tcp_of_both_versions(port: int) -> socket.socket:
    """One on all addresses of IPv6 and of IPv4, as far as they are there. Raises OSError."""
    try:
        return socket.create_server(
            ("::", port), family=socket.AF_INET6, backlog=_BACKLOG, dualstack_ipv6=True
        )
    except (OSError, ValueError):
        # No IPv6 here; if the port is taken, this says so.
        return tcp(port)


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
