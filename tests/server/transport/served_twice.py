"""The same models over both transports."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from server.conftest import Running, model_config, serve


@contextmanager
def served_twice(folder: Path, *names: str) -> Iterator[list[Running]]:
    """A server over grpcio and aiohttp, and one over the native transport; ``two`` is of them."""
    models = " ".join(model_config(folder / name) for name in names)
    servers = [serve(models, transport=name) for name in ("python", "native")]
    for server in servers:
        server.http.wait_until_ready()
        server.http.wait_until_available("two", 1, 2)
    yield servers
    for server in servers:
        server.end()
