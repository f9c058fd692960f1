"""As much of S3 as reading needs, on loopback: ListObjectsV2, GetObject with ranges, 403, 404."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

KEY_ID = "the-key-id"
_PAGE = 3


class S3Server(ThreadingHTTPServer):
    """Buckets in memory, {bucket: {key: content}}; ``before`` is called with each path."""

    daemon_threads = True

    def __init__(self, buckets: dict[str, dict[str, bytes]]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.buckets = buckets
        self.requests: list[str] = []
        # What was given away of objects: the path, and how many bytes.
        self.served: list[tuple[str, int]] = []
        self.asks_for_key = True
        self.before: Callable[[str], object] = lambda _path: None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def put_folder(self, bucket: str, prefix: str, folder) -> None:
        """All files of a folder, as objects."""
        for file in folder.rglob("*"):
            if file.is_file():
                key = f"{prefix}/{file.relative_to(folder)}"
                self.buckets[bucket][key] = file.read_bytes()


@contextmanager
def serving(buckets: dict[str, dict[str, bytes]]) -> Iterator[S3Server]:
    """The server, as long as the context lasts."""
    with S3Server(buckets) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: S3Server

    def log_message(self, *_args: object) -> None:
        pass

    def do_GET(self) -> None:
        self.server.requests.append(self.path)
        self.server.before(self.path)
        url = urlsplit(self.path)
        bucket, _, key = unquote(url.path).lstrip("/").partition("/")
        key_shown = f"Credential={KEY_ID}/" in self.headers.get("Authorization", "")
        if self.server.asks_for_key and not key_shown:
            self._fail(403, "AccessDenied")
        elif bucket not in self.server.buckets:
            self._fail(404, "NoSuchBucket")
        elif not key:
            self._list(self.server.buckets[bucket], parse_qs(url.query))
        elif key not in self.server.buckets[bucket]:
            self._fail(404, "NoSuchKey")
        else:
            self._get(self.server.buckets[bucket][key])

    def _get(self, content: bytes) -> None:
        status, part, more = 200, content, {}
        wanted = self.headers.get("Range")
        if wanted:
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            part = content[int(first) : int(last) + 1 if last else None]
            status = 206
            more = {"Content-Range": f"bytes {first}-{int(first) + len(part) - 1}/{len(content)}"}
        self.server.served.append((self.path, len(part)))
        self._answer(status, part, {"ETag": _tag(content), "Last-Modified": _HTTP_DATE, **more})

    def _list(self, objects: dict[str, bytes], query: dict[str, list[str]]) -> None:
        prefix, delimiter = query.get("prefix", [""])[0], query.get("delimiter", [""])[0]
        after = query.get("continuation-token", query.get("start-after", [""]))[0]
        entries: dict[str, str] = {}
        for key in sorted(objects):
            inside = key.removeprefix(prefix)
            if not key.startswith(prefix):
                continue
            if delimiter and delimiter in inside:
                folder = prefix + inside.partition(delimiter)[0] + delimiter
                entries[folder] = (
                    f"<CommonPrefixes><Prefix>{escape(folder)}</Prefix></CommonPrefixes>"
                )
            else:
                entries[key] = _entry(key, objects[key])
        names = [name for name in sorted(entries) if name > after]
        page, more = names[:_PAGE], names[_PAGE:]
        token = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if more else ""
        self._answer(
            200,
            f'<?xml version="1.0"?><ListBucketResult><IsTruncated>{str(bool(more)).lower()}'
            f"</IsTruncated>{token}{''.join(entries[name] for name in page)}"
            "</ListBucketResult>".encode(),
            {"Content-Type": "application/xml"},
        )

    def _fail(self, status: int, code: str) -> None:
        self._answer(
            status, f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode(), {}
        )

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


_HTTP_DATE = "Wed, 01 Jan 2025 00:00:00 GMT"


def _tag(content: bytes) -> str:
    return f'"{md5(content, usedforsecurity=False).hexdigest()}"'


def _entry(key: str, content: bytes) -> str:
    return (
        f"<Contents><Key>{escape(key)}</Key><Size>{len(content)}</Size>"
        f"<LastModified>2025-01-01T00:00:00.000Z</LastModified><ETag>{_tag(content)}</ETag>"
        "</Contents>"
    )
