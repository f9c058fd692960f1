"""PredictionService/Predict in an event loop of uvloop, with HTTP/2 by the C library nghttp2.

PyPI has no living binding of it, so this one has what the benchmark needs and no more: no
deadlines, cancels, limits or packing. Source: nghttp2.h of nghttp2 1.52.
Arguments: folder, name, port, and ``loop`` or ``thread``: where calls are answered. In the loop a
model that takes long would keep everybody waiting, the network too; a server needs the thread.
"""

import asyncio
import queue
import struct
import sys
import threading

import cffi
import uvloop
from tensorflow_predict import PATH, bytes_of

ffi = cffi.FFI()
ffi.cdef("""
typedef struct nghttp2_session nghttp2_session;
typedef struct nghttp2_session_callbacks nghttp2_session_callbacks;
typedef struct { size_t length; int32_t stream_id; uint8_t type, flags, reserved; } frame_hd;
typedef struct { frame_hd hd; } nghttp2_frame;
typedef struct { uint8_t *name, *value; size_t namelen, valuelen; uint8_t flags; } nghttp2_nv;
typedef union { int fd; void *ptr; } nghttp2_data_source;
typedef ssize_t (*read_callback)(nghttp2_session *, int32_t stream, uint8_t *to, size_t length,
    uint32_t *flags, nghttp2_data_source *source, void *user);
typedef struct { nghttp2_data_source source; read_callback read; } nghttp2_data_provider;
typedef int (*on_header)(nghttp2_session *, const nghttp2_frame *, const uint8_t *name,
    size_t namelen, const uint8_t *value, size_t valuelen, uint8_t flags, void *user);
typedef int (*on_frame)(nghttp2_session *, const nghttp2_frame *, void *user);
typedef int (*on_data)(nghttp2_session *, uint8_t flags, int32_t stream, const uint8_t *data,
    size_t length, void *user);
int nghttp2_session_callbacks_new(nghttp2_session_callbacks **);
void nghttp2_session_callbacks_set_on_header_callback(nghttp2_session_callbacks *, on_header);
void nghttp2_session_callbacks_set_on_frame_recv_callback(nghttp2_session_callbacks *, on_frame);
void nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
    nghttp2_session_callbacks *, on_data);
int nghttp2_session_server_new(nghttp2_session **, const nghttp2_session_callbacks *, void *user);
void nghttp2_session_del(nghttp2_session *);
int nghttp2_submit_settings(nghttp2_session *, uint8_t flags, const void *, size_t);
int nghttp2_submit_response(nghttp2_session *, int32_t stream, const nghttp2_nv *, size_t,
    const nghttp2_data_provider *);
int nghttp2_submit_trailer(nghttp2_session *, int32_t stream, const nghttp2_nv *, size_t);
ssize_t nghttp2_session_mem_recv(nghttp2_session *, const uint8_t *, size_t);
ssize_t nghttp2_session_mem_send(nghttp2_session *, const uint8_t **);
""")
library = ffi.dlopen("libnghttp2.so.14")

_DATA, _HEADERS, _END_STREAM = 0, 1, 1
_EOF, _NO_END_STREAM = 1, 2
_PREFIX = 5
_kept = []


def _fields(*pairs):
    fields = ffi.new("nghttp2_nv[]", len(pairs))
    for field, (name, value) in zip(fields, pairs, strict=True):
        texts = ffi.from_buffer(name), ffi.from_buffer(value)
        _kept.append(texts)
        field.name, field.value = (ffi.cast("uint8_t *", text) for text in texts)
        field.namelen, field.valuelen = len(name), len(value)
    return fields


_ANSWER = _fields((b":status", b"200"), (b"content-type", b"application/grpc"))
_UNKNOWN = _fields(
    (b":status", b"200"), (b"content-type", b"application/grpc"), (b"grpc-status", b"12")
)
_GOOD_END = _fields((b"grpc-status", b"0"))


@ffi.callback("on_header")
def _on_header(_session, frame, *field):
    name, size, value, value_size, _flags, user = field
    if size == len(":path") and ffi.buffer(name, size)[:] == b":path":
        is_predict = ffi.buffer(value, value_size)[:] == PATH.encode()
        ffi.from_handle(user).bodies[frame.hd.stream_id] = bytearray() if is_predict else None
    return 0


@ffi.callback("on_data")
def _on_data(_session, _flags, stream, data, size, user):
    body = ffi.from_handle(user).bodies[stream]
    if body is not None:
        body += ffi.buffer(data, size)
    return 0


@ffi.callback("on_frame")
def _on_frame(_session, frame, user):
    head = frame.hd
    if head.type in (_DATA, _HEADERS) and head.flags & _END_STREAM:
        ffi.from_handle(user).answer(head.stream_id)
    return 0


@ffi.callback("read_callback")
def _read(session, stream, *room):
    to, length, flags, _source, user = room
    frames = ffi.from_handle(user).frames
    frame = frames.pop(stream)
    if len(frame) > length:
        frames[stream] = frame[length:]
        frame = frame[:length]
    else:
        flags[0] |= _EOF | _NO_END_STREAM
        library.nghttp2_submit_trailer(session, stream, _GOOD_END, len(_GOOD_END))
    ffi.memmove(to, frame, len(frame))
    return len(frame)


_callbacks = ffi.new("nghttp2_session_callbacks **")
library.nghttp2_session_callbacks_new(_callbacks)
library.nghttp2_session_callbacks_set_on_header_callback(_callbacks[0], _on_header)
library.nghttp2_session_callbacks_set_on_data_chunk_recv_callback(_callbacks[0], _on_data)
library.nghttp2_session_callbacks_set_on_frame_recv_callback(_callbacks[0], _on_frame)
_provider = ffi.new("nghttp2_data_provider *", {"read": _read})


class Connection(asyncio.Protocol):
    """Calls ``ask`` with each message that came and a function that takes its answer."""

    def __init__(self, ask):
        """Of one client."""
        self._ask = ask
        self.bodies, self.frames = {}, {}
        self._handle = ffi.new_handle(self)
        self._session = ffi.new("nghttp2_session **")
        library.nghttp2_session_server_new(self._session, _callbacks[0], self._handle)
        self._sent = ffi.new("uint8_t **")
        self._is_receiving = False

    def connection_made(self, transport):
        """See asyncio.Protocol."""
        self._transport = transport
        library.nghttp2_submit_settings(self._session[0], 0, ffi.NULL, 0)
        self._send()

    def connection_lost(self, _error):
        """See asyncio.Protocol."""
        library.nghttp2_session_del(self._session[0])
        self._session = None

    def data_received(self, data):
        """See asyncio.Protocol."""
        self._is_receiving = True
        if library.nghttp2_session_mem_recv(self._session[0], data, len(data)) < 0:
            self._transport.close()
        self._is_receiving = False
        self._send()

    def answer(self, stream):
        """A call is whole."""
        body = self.bodies.pop(stream)
        if body is None:
            library.nghttp2_submit_response(
                self._session[0], stream, _UNKNOWN, len(_UNKNOWN), ffi.NULL
            )
            return
        self._ask(bytes(body[_PREFIX:]), lambda message: self._answered(stream, message))

    def _answered(self, stream, message):
        if self._session is None:
            return
        self.frames[stream] = struct.pack(">BI", 0, len(message)) + message
        library.nghttp2_submit_response(self._session[0], stream, _ANSWER, len(_ANSWER), _provider)
        if not self._is_receiving:
            self._send()

    def _send(self):
        frames = []
        while (size := library.nghttp2_session_mem_send(self._session[0], self._sent)) > 0:
            frames.append(ffi.buffer(self._sent[0], size)[:])
        if frames:
            self._transport.write(b"".join(frames))


def in_loop(predict):
    """Asks at once, and nothing else happens meanwhile."""
    return lambda message, answered: answered(predict(message))


def in_thread(predict, loop):
    """Asks in a thread of its own, call after call."""
    calls = queue.SimpleQueue()

    def work():
        while True:
            message, answered = calls.get()
            loop.call_soon_threadsafe(answered, predict(message))

    threading.Thread(target=work, daemon=True).start()
    return lambda message, answered: calls.put((message, answered))


async def serve(predict, port, where):
    """Answers until the process is ended."""
    loop = asyncio.get_running_loop()
    ask = in_thread(predict, loop) if where == "thread" else in_loop(predict)
    server = await loop.create_server(lambda: Connection(ask), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    _, folder, name, port, where = sys.argv
    uvloop.run(serve(bytes_of(folder, name), int(port), where))
