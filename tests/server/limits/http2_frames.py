"""HTTP/2 as bytes, to say what no gRPC client would."""

import socket
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = (
    0,
    1,
    3,
    4,
    6,
    7,
    8,
    9,
)
END_STREAM, END_HEADERS = 1, 4


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One frame."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def block(headers: list[tuple[bytes, bytes]]) -> bytes:
    """A header block without compression; names and values have less than 127 bytes."""
    return b"".join(
        b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value for name, value in headers
    )


def call(path: bytes, stream: int = 1) -> bytes:
    """The frame that begins a call."""
    headers = [
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", path),
        (b":authority", b"a"),
        (b"content-type", b"application/grpc"),
        (b"te", b"trailers"),
    ]
    return frame(HEADERS, END_HEADERS, stream, block(headers))


def begun() -> bytes:
    """What a connection begins with."""
    return PREFACE + frame(SETTINGS, 0, 0)


def connected(target: str) -> socket.socket:
    """A connection to host:port."""
    host, _, port = target.rpartition(":")
    connection = socket.create_connection((host, int(port)), timeout=180)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection
