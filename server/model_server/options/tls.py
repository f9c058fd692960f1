"""The certificates a server shows and asks for."""

import logging
import os
import threading
from dataclasses import dataclass
from datetime import UTC, datetime

from model_server.options.command_line import InvalidOptions
from model_server.options.messages import SSLConfig
from model_server.options.text_files import read_secret_file

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Tls:
    """PEM texts; ``verify_clients`` lets only clients call whom ``client_ca`` certifies."""

    key: bytes
    certificate: bytes
    client_ca: bytes | None
    verify_clients: bool

    def __repr__(self) -> str:
        # The key must not reach a log.
        return f"Tls(verify_clients={self.verify_clients})"


class TlsFile:
    """A file with an SSLConfig, which is read again when it is another; thread-safe."""

    def __init__(self, path: str) -> None:
        """Raises InvalidOptions, without a word of the file's text."""
        self._path = path
        self._lock = threading.Lock()
        self._mark = _mark(path)
        self._tls = _read(path)

    def now(self) -> Tls:
        """What it says; the same as before where that cannot be used, which is logged once."""
        with self._lock:
            mark = _mark(self._path)
            if mark != self._mark:
                self._mark = mark
                self._renew()
            return self._tls

    def _renew(self) -> None:
        kept = "what it said before is still used"
        try:
            renewed = _read(self._path)
        except InvalidOptions as error:
            _log.error("%s; %s", error, kept)
            return
        if renewed.verify_clients != self._tls.verify_clients:
            _log.error("%s: another client_verify needs a new start; %s", self._path, kept)
            return
        self._tls = renewed
        _log.info("%s was read again; new connections get its certificate", self._path)


def tls_of(path: str) -> TlsFile | None:
    """The file at ``path``; None without a path. Raises what TlsFile does."""
    return TlsFile(path) if path else None


def _mark(path: str) -> tuple[int, ...]:
    """What differs for another file, and for the same one that was written again."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return ()
    return found.st_ino, found.st_mtime_ns, found.st_size


def _read(path: str) -> Tls:
    config = SSLConfig()
    read_secret_file(path, config)
    if not config.server_key or not config.server_cert:
        raise InvalidOptions(f"{path}: server_key and server_cert must both be given")
    if config.client_verify and not config.custom_ca:
        raise InvalidOptions(f"{path}: client_verify needs custom_ca")
    # Only here: this takes a tenth of a second to import.
    from model_server.options import certificates

    certificates.check(config, path)
    if problem := certificates.doubt(config.server_cert.encode(), datetime.now(UTC)):
        # It is served all the same: clients that do not ask for the date go on working.
        _log.error("%s: %s; clients will not trust it", path, problem)
    return Tls(
        config.server_key.encode(),
        config.server_cert.encode(),
        config.custom_ca.encode() or None,
        config.client_verify,
    )
