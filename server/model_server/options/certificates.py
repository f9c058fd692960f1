"""Whether a key and certificates can be used, and trusted."""

from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from model_server.options.command_line import InvalidOptions


def check(config: Any, path: str) -> None:
    """Raises InvalidOptions for an SSLConfig whose key or certificates cannot be used."""
    leaf = _certificate(config.server_cert, f"{path}: server_cert")
    if _public_bytes(_key(config.server_key, f"{path}: server_key")) != _public_bytes(leaf):
        raise InvalidOptions(
            f"{path}: server_key is not the key of server_cert, which is the certificate of"
            f" {leaf.subject.rfc4514_string()}"
        )
    if config.custom_ca:
        _certificate(config.custom_ca, f"{path}: custom_ca")


def doubt(certificate: bytes, now: datetime) -> str | None:
    """Why clients will not trust a PEM certificate at that time, as far as it can be known."""
    leaf = x509.load_pem_x509_certificates(certificate)[0]
    name = leaf.subject.rfc4514_string()
    if now > leaf.not_valid_after_utc:
        return f"the certificate of {name} expired at {leaf.not_valid_after_utc.isoformat()}"
    if now < leaf.not_valid_before_utc:
        return f"the certificate of {name} begins at {leaf.not_valid_before_utc.isoformat()}"
    return None


def _certificate(text: str, where: str) -> x509.Certificate:
    """The first certificate of a PEM text."""
    try:
        (first, *_) = x509.load_pem_x509_certificates(text.encode())
    except ValueError:
        raise InvalidOptions(f"{where} holds no PEM certificate that can be read") from None
    return first


def _key(text: str, where: str) -> Any:
    try:
        return load_pem_private_key(text.encode(), password=None)
    except TypeError:
        raise InvalidOptions(f"{where} is encrypted; give it without a passphrase") from None
    except (ValueError, UnsupportedAlgorithm):
        # Without a cause: what is wrong with a key must not be told by its bytes.
        raise InvalidOptions(f"{where} holds no PEM private key that can be read") from None


def _public_bytes(owner: Any) -> bytes:
    written: bytes = owner.public_key().public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )
    return written
