"""Keys and certificates for loopback, and the configuration files that hold them."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_PEM = serialization.Encoding.PEM


class Identity:
    """A key and a certificate for loopback that it signed itself, as PEM."""

    def __init__(self, begins: timedelta = timedelta(hours=-1)) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
        begin = datetime.now(UTC) + begins
        certificate = (
            x509.CertificateBuilder(name, name, self._key.public_key(), x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(begin + timedelta(hours=2))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), False
            )
            .sign(self._key, hashes.SHA256())
        )
        self.certificate = certificate.public_bytes(_PEM)
        self.key = self._private(serialization.NoEncryption())

    @property
    def encrypted_key(self) -> bytes:
        """The key, which only a passphrase opens."""
        return self._private(serialization.BestAvailableEncryption(b"passphrase"))

    def _private(self, encryption: serialization.KeySerializationEncryption) -> bytes:
        return self._key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, encryption)


def ssl_config(**fields: bytes | bool) -> str:
    """The text of an SSLConfig."""
    return "\n".join(
        f"{name}: {str(value).lower() if isinstance(value, bool) else repr(value)[1:]}"
        for name, value in fields.items()
    )


def config_file(folder: Path, server: Identity, client: Identity | None = None) -> str:
    """A file with the identity of a server, which serves only this client if it is given."""
    fields: dict[str, bytes | bool] = {
        "server_key": server.key,
        "server_cert": server.certificate,
    }
    if client is not None:
        fields |= {"custom_ca": client.certificate, "client_verify": True}
    file = folder / "ssl.config"
    file.write_text(ssl_config(**fields))
    return str(file)
