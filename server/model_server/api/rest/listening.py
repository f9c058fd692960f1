"""Where the REST API is listened for, and how much its clients can take."""

from collections.abc import Callable
from dataclasses import dataclass, field

from model_server.api.model_counts import ModelCounts
from model_server.api.native_port import NativePort
from model_server.options.tls import TlsFile

# So many JSON values take 100 MB of memory at most; a body below this size has fewer.
MANY_VALUES = 2**19
MEASURED = 2**20
# Threads for requests that wait for their turn.
WAITING = 1024


@dataclass(frozen=True)
class BodyLimits:
    """At most ``bytes``; ``patience`` seconds, and one more for each ``slowest`` bytes received.

    At most ``values`` of JSON in one body, because each takes up to 200 bytes on its way; at most
    ``together`` bytes of all bodies at hand.
    """

    bytes: int = 256 * 2**20
    values: int = 2**23
    together: int = 2**30
    patience: float = 30.0
    slowest: int = 64 * 2**10


@dataclass(frozen=True)
class ConnectionLimits:
    """At most ``most``; one whose client reads less than 64 KiB a second for ``patience`` ends."""

    most: int = 4096
    patience: float = 30.0


@dataclass(frozen=True)
class Listen:
    """Where to listen and how; port 0 lets the system choose, times are in seconds.

    ``threads`` requests run at a time, and of each model ``own`` in any case.
    A request takes at most ``timeout``; a connection waits at most ``idle`` for a whole header;
    beyond ``in_flight`` requests at the same time, if it is not None, more are refused, as they are
    beyond what ``models`` says of one model; beyond the limit of ``connections``, idle ones are
    closed, and if there is none, more are refused.
    Clients that ``tls`` asks for a certificate and that show none may ask for health only.
    ``shared`` is a native port that gRPC is served on, too; only with it, ``port`` can be None.
    """

    port: int | None
    threads: int = 8
    timeout: float | None = None
    cors: bool = False
    idle: float = 75.0
    in_flight: int | None = None
    connections: ConnectionLimits = field(default_factory=ConnectionLimits)
    body: BodyLimits = field(default_factory=BodyLimits)
    tls: TlsFile | None = None
    own: int | Callable[[str], int] = 1
    models: ModelCounts = field(default_factory=ModelCounts)
    shared: NativePort | None = None
