"""How messages reach other servers, and which way is taken."""

from collections.abc import Sequence
from typing import Protocol

from model_server.core.errors import ServingError
from model_server.options.shards import Shards
from model_server.servables.sharding.asking.grpcio_lines import GrpcioLines
from model_server.servables.sharding.asking.native_lines import NativeLines, is_installed


class Lines(Protocol):
    """Connections to other servers, made when first needed and again when lost; thread-safe."""

    def ask(self, messages: Sequence[tuple[str, bytes]]) -> list[bytes | ServingError]:
        """What the servers at these addresses answer in Predict, all asked at the same time."""


def lines_of(shards: Shards) -> Lines:
    """The native ones where they are installed: they take a fraction of grpcio's time.

    Only grpcio trusts a certificate that signed itself, as members of one certificate need it.
    """
    if shards.tls is None and is_installed():
        return NativeLines(shards.timeout_seconds)
    return GrpcioLines(shards.timeout_seconds, shards.tls)
