"""Ports on loopback that nobody listens on."""

import random
import socket
from contextlib import ExitStack, suppress

# Below those that Linux gives to whoever asks for any, and to the clients of every connection: a
# port of theirs may be taken before it is used. Above are those of Kubernetes' NodePorts.
_OURS = range(15_000, 30_000)
# Tests that seed the common one would all draw the same.
_random = random.SystemRandom()


def free_ports(count: int) -> list[int]:
    """Different free ports. Another program could take one before it is used; none is reserved."""
    with ExitStack() as stack:
        found: list[int] = []
        while len(found) < count:
            port = _random.choice(_OURS)
            with suppress(OSError):
                stack.enter_context(listener(port))
                found.append(port)
        return found


def listener(port: int = 0) -> socket.socket:
    """A socket that listens on loopback; 0 is any free port. Raises OSError if it is taken."""
    return socket.create_server(("127.0.0.1", port), backlog=128)
