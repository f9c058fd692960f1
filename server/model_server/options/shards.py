"""The group that a server belongs to, which serves together a model that is too big for one."""

import socket
from dataclasses import dataclass, field
from pathlib import Path

from model_server.options.command_line import InvalidOptions
from model_server.options.flags import Options
from model_server.options.tls import TlsFile, tls_of

_LONGEST_TOKEN = 4096


@dataclass(frozen=True)
class Shards:
    """The gRPC addresses of all members in order, and which of them this server is, from 0.

    Members show each other the `token`; without one anybody may ask for a member's part. `tls` is
    the server's own: whom it trusts, and what it shows to other members as it does to clients.
    `tf_addresses` are where TensorFlow's own servers of all members listen; empty without them.
    """

    members: tuple[str, ...]
    rank: int
    timeout_seconds: float
    token: bytes = field(default=b"", repr=False)
    tls: TlsFile | None = None
    tf_addresses: tuple[str, ...] = ()


def shards_of(options: Options, host: str | None = None) -> Shards | None:
    """What the flags say; None for a server that serves alone.

    Args:
        options: the flags.
        host: the name of this host, of which a StatefulSet's pods have their number at the end.

    Raises:
        InvalidOptions: with the flag that cannot be.
    """
    if not options.shard_members:
        return None
    members = tuple(each.strip() for each in options.shard_members.split(","))
    if len(members) < 2 or not all(members) or len(set(members)) < len(members):
        raise InvalidOptions(
            "--shard_members must be two or more addresses HOST:PORT, all different, not"
            f' "{options.shard_members}"'
        )
    rank = options.shard_rank if options.shard_rank >= 0 else _ordinal(host or socket.gethostname())
    if rank >= len(members):
        raise InvalidOptions(f"--shard_rank is {rank}, but --shard_members has {len(members)}")
    return Shards(
        members,
        rank,
        options.shard_timeout_ms / 1000,
        _token(options.shard_token_file),
        tls_of(options.ssl_config_file),
        _tf_addresses(options.shard_tf_ports, members),
    )


def _tf_addresses(text: str, members: tuple[str, ...]) -> tuple[str, ...]:
    """The members' hosts with these ports: one for all of them, or one for each."""
    if not text:
        return ()
    ports = [each.strip() for each in text.split(",")]
    if len(ports) == 1:
        ports *= len(members)
    if len(ports) != len(members) or not all(map(_is_port, ports)):
        raise InvalidOptions(
            "--shard_tf_ports must be one port, or one for each of --shard_members, between 1 and"
            f' 65535, not "{text}"'
        )
    hosts = [member.rpartition(":")[0] for member in members]
    return tuple(f"{host}:{port}" for host, port in zip(hosts, ports, strict=True))


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdecimal() and 0 < int(text) <= 65535


def _ordinal(host: str) -> int:
    number = host.partition(".")[0].rpartition("-")[2]
    if not number.isascii() or not number.isdecimal():
        raise InvalidOptions(
            f'--shard_rank is needed, because the name of this host, "{host}", does not end in -'
            " and a number"
        )
    return int(number)


def _token(path: str) -> bytes:
    if not path:
        return b""
    try:
        with Path(path).open("rb") as file:
            token = file.read(_LONGEST_TOKEN + 1).strip()
    except OSError as error:
        raise InvalidOptions(f"--shard_token_file {path}: {error.strerror}") from error
    if not 16 <= len(token) <= _LONGEST_TOKEN:
        raise InvalidOptions(
            f"--shard_token_file {path} must hold between 16 and {_LONGEST_TOKEN} bytes"
        )
    return token
