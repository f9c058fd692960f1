"""Carries connections from a socket of this machine into the network that this program runs in.

`python -m testcluster.forward HOST PORT` takes the listening socket as descriptor 3. A socket
belongs to the network namespace that it was made in, so the program itself may run in another:
it listens on the machine's loopback and connects inside the cluster.
"""

import asyncio
import contextlib
import socket
import sys
from functools import partial

LISTENER = 3
_CHUNK = 256 * 1024


async def forward(listener: socket.socket, host: str, port: int) -> None:
    """Accept and carry until cancelled."""
    carry = partial(_carry, host, port)
    async with await asyncio.start_server(carry, sock=listener) as server:
        await server.serve_forever()


async def _carry(
    host: str, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    try:
        there_reader, there_writer = await asyncio.open_connection(host, port)
    except OSError:
        writer.close()
        return
    await asyncio.gather(_copy(reader, there_writer), _copy(there_reader, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(_CHUNK):
            writer.write(chunk)
            await writer.drain()
    with contextlib.suppress(OSError):
        # Both sides of the API server's connections close whole, never in one direction.
        writer.close()
        await writer.wait_closed()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(forward(socket.socket(fileno=LISTENER), sys.argv[1], int(sys.argv[2])))
