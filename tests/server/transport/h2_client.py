"""A client on the library h2, for what gRPC's own clients never send or show."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.events
import h2.settings

from server.limits.http2_frames import connected

Headers = Sequence[tuple[str, str]]
_ENCODED = h2.config.H2Configuration(header_encoding="utf-8")


@dataclass
class Answer:
    """What came on a stream so far; a status or a code of HTTP/2 where it ended by one."""

    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    reset: int | None = None
    goaway: int | None = None
    is_over: bool = False

    @property
    def status(self) -> int | None:
        """Of gRPC."""
        return int(self.headers["grpc-status"]) if "grpc-status" in self.headers else None


class H2Client:
    """One connection to host:port; ``window`` bytes of each answer are taken unasked."""

    def __init__(self, target: str, window: int = 2**20) -> None:
        self.target = target
        self.socket = connected(target)
        self.connection = h2.connection.H2Connection(_ENCODED)
        self.connection.local_settings = h2.settings.Settings(
            client=True,
            initial_values={h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window},
        )
        self.connection.initiate_connection()
        self._answers: dict[int, Answer] = {}
        self.flush()

    def __enter__(self) -> "H2Client":
        return self

    def __exit__(self, *_how: object) -> None:
        self.socket.close()

    def flush(self) -> None:
        """Sends what the library has ready."""
        self.socket.sendall(self.connection.data_to_send())

    def begin(self, path: str, more: Headers = (), **priority: int) -> int:
        """Begins a call; headers in ``more`` take the place of the usual ones."""
        usual = [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "a")]
        usual += [("content-type", "application/grpc"), ("te", "trailers")]
        replaced = {name for name, _ in more}
        headers = [pair for pair in usual if pair[0] not in replaced]
        headers += [pair for pair in more if pair[0].startswith(":")]
        headers.sort(key=lambda pair: not pair[0].startswith(":"))
        headers += [pair for pair in more if not pair[0].startswith(":")]
        stream = self.connection.get_next_available_stream_id()
        self._answers[stream] = Answer()
        self.connection.send_headers(stream, headers, **priority)
        self.flush()
        return stream

    def send(
        self, stream: int, pieces: Iterable[bytes], end: bool = True, padding: int | None = None
    ) -> None:
        """Sends a frame for each piece as the server lets it, and then no more.

        An answer that comes before ends it.
        """
        for piece in pieces:
            size = len(piece) + (0 if padding is None else 1 + padding)
            while self.connection.local_flow_control_window(stream) < size:
                self.receive()
                if self._answers[stream].is_over:
                    return
            self.connection.send_data(stream, piece, pad_length=padding)
            self.flush()
        if end:
            self.connection.end_stream(stream)
            self.flush()

    def ask(self, path: str, body: bytes, more: Headers = ()) -> Answer:
        """One call, waited for."""
        stream = self.begin(path, more)
        self.send(stream, [body])
        return self.answer(stream)

    def answer(self, stream: int) -> Answer:
        """What comes on a stream, waited for to its end or that of the connection."""
        while not (answer := self._answers[stream]).is_over:
            self.receive()
        return answer

    def receive(self) -> bool:
        """Takes what came, waited for; False at the end of the connection."""
        try:
            data = self.socket.recv(65536)
        except ConnectionError:
            data = b""
        if not data:
            for answer in self._answers.values():
                answer.is_over = True
            return False
        for event in self.connection.receive_data(data):
            self._take(event)
        self.flush()
        return True

    def so_far(self, stream: int) -> Answer:
        """What came on a stream up to now."""
        return self._answers[stream]

    def _take(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.ConnectionTerminated):
            for answer in self._answers.values():
                answer.goaway = int(event.error_code or 0)
            return
        answer = self._answers.get(getattr(event, "stream_id", 0) or 0, Answer())
        if isinstance(event, h2.events.ResponseReceived | h2.events.TrailersReceived):
            answer.headers.update(event.headers)
        elif isinstance(event, h2.events.DataReceived):
            answer.body += event.data
            self.connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamReset):
            answer.reset, answer.is_over = int(event.error_code), True
        elif isinstance(event, h2.events.StreamEnded):
            answer.is_over = True


def framed(message: bytes, flag: int = 0, size: int | None = None) -> bytes:
    """A message of gRPC with its prefix, which may lie about the size."""
    return bytes([flag]) + (len(message) if size is None else size).to_bytes(4, "big") + message
