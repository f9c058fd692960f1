"""PredictionService/Predict in an event loop of uvloop, with HTTP/2 by the Python library h2.

No deadlines, cancels, limits or packing: what such a transport costs at least.
Arguments: folder, name, port.
"""

import asyncio
import struct
import sys

import h2.config
import h2.connection
import h2.events
import uvloop
from tensorflow_predict import PATH, bytes_of

_CONFIG = h2.config.H2Configuration(client_side=False, validate_inbound_headers=False)
_HEADERS = [(b":status", b"200"), (b"content-type", b"application/grpc")]
_PREFIX = 5


class Connection(asyncio.Protocol):
    """Answers calls one after the other in the loop's thread."""

    def __init__(self, predict):
        """``predict`` is a function of messages as bytes."""
        self._predict = predict
        self._http = h2.connection.H2Connection(_CONFIG)
        self._bodies = {}

    def connection_made(self, transport):
        """See asyncio.Protocol."""
        self._transport = transport
        self._http.initiate_connection()
        transport.write(self._http.data_to_send())

    def data_received(self, data):
        """See asyncio.Protocol."""
        for event in self._http.receive_data(data):
            if isinstance(event, h2.events.RequestReceived):
                self._bodies[event.stream_id] = bytearray() if _is_predict(event) else None
            elif isinstance(event, h2.events.DataReceived):
                self._bodies[event.stream_id] += event.data
                self._http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.StreamEnded):
                self._answer(event.stream_id)
        self._transport.write(self._http.data_to_send())

    def _answer(self, stream):
        body = self._bodies.pop(stream)
        self._http.send_headers(stream, _HEADERS)
        if body is None:
            self._http.send_headers(stream, [(b"grpc-status", b"12")], end_stream=True)
            return
        message = self._predict(bytes(body[_PREFIX:]))
        self._http.send_data(stream, struct.pack(">BI", 0, len(message)) + message)
        self._http.send_headers(stream, [(b"grpc-status", b"0")], end_stream=True)


def _is_predict(event):
    return (b":path", PATH.encode()) in event.headers


async def serve(predict, port):
    """Answers until the process is ended."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(predict), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    _, folder, name, port = sys.argv
    uvloop.run(serve(bytes_of(folder, name), int(port)))
