"""A store on loopback, and the environment that leads to it."""

from collections.abc import Iterator

import pytest

from server.storage.s3_server import KEY_ID, S3Server, serving

SECRET = "the-secret-key"


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    """An S3 server with an empty bucket ``models``, which this process is led to."""
    with serving({"models": {}}) as server:
        _lead_to(server.url, monkeypatch)
        yield server


@pytest.fixture
def unreachable_s3(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leads this process to a port that nobody listens on."""
    _lead_to("http://127.0.0.1:1", monkeypatch)


def _lead_to(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from fsspec.spec import AbstractFileSystem

    for name, value in {
        "AWS_ENDPOINT_URL": url,
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET,
    }.items():
        monkeypatch.setenv(name, value)
    # File systems are kept, with the environment of their making.
    for kind in AbstractFileSystem.__subclasses__():
        kind.clear_instance_cache()
    _clear_object_stores()


def _clear_object_stores() -> None:
    from obstore.fsspec import FsspecStore

    for kind in FsspecStore.__subclasses__():
        kind.clear_instance_cache()
