"""The certificates a server shows and asks for."""

from dataclasses import dataclass

from model_server.options.command_line import InvalidOptions
from model_server.options.messages import SSLConfig
from model_server.options.text_files import read_secret_file


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


def tls_of(path: str) -> Tls | None:
    """What the text SSLConfig at ``path`` says; None without a path.

    Raises InvalidOptions, without a word of the file's text.
    """
    if not path:
        return None
    config = SSLConfig()
    read_secret_file(path, config)
    if not config.server_key or not config.server_cert:
        raise InvalidOptions(f"{path}: server_key and server_cert must both be given")
    if config.client_verify and not config.custom_ca:
        raise InvalidOptions(f"{path}: client_verify needs custom_ca")
    # Only here: this takes a tenth of a second to import.
    from model_server.options import certificates

    certificates.check(config, path)
    return Tls(
        config.server_key.encode(),
        config.server_cert.encode(),
        config.custom_ca.encode() or None,
        config.client_verify,
    )
