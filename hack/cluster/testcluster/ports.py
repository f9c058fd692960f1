"""Ports on loopback that nobody listens on."""

import socket
from contextlib import ExitStack


def free_ports(count: int) -> list[int]:
    """Different free ports. Another program could take one before it is used; none is reserved."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(listener()) for _ in range(count)]
        return [bound.getsockname()[1] for bound in sockets]


def listener(port: int = 0) -> socket.socket:
    """A socket that listens on loopback; 0 is any free port. Raises OSError if it is taken."""
    return socket.create_server(("127.0.0.1", port), backlog=128)
