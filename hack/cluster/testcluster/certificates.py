"""The certificates of one cluster: an authority of its own and what it vouches for."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_LIFETIME = timedelta(days=365)
# Clocks of one machine agree, yet a certificate made in this second may not be valid in it.
_LEEWAY = timedelta(minutes=5)


@dataclass(frozen=True)
class KeyPair:
    """A certificate and its private key, both PEM files."""

    certificate: Path
    key: Path


@dataclass(frozen=True)
class Holder:
    """Whom a certificate names: Kubernetes reads the user and its groups from it."""

    user: str
    group: str | None = None
    addresses: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()


class Authority:
    """Signs for one cluster; made on first use and kept in the cluster's folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._name = _subject(Holder("testcluster"))
        self.certificate = folder / "authority.crt"
        key = folder / "authority.key"
        if not key.exists():
            _make_authority(self._name, self.certificate, key)
        loaded = serialization.load_pem_private_key(key.read_bytes(), password=None)
        assert isinstance(loaded, ec.EllipticCurvePrivateKey)
        self._key = loaded

    def issue(self, name: str, holder: Holder) -> KeyPair:
        """Make a key and a certificate for client and server use, in files of that name."""
        key = ec.generate_private_key(ec.SECP256R1())
        usage = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
        names: list[x509.GeneralName] = [x509.DNSName(host) for host in holder.hosts]
        names += [x509.IPAddress(ip_address(address)) for address in holder.addresses]
        unsigned = _builder(_subject(holder), self._name, key.public_key()).add_extension(
            x509.ExtendedKeyUsage(usage), critical=False
        )
        if names:
            unsigned = unsigned.add_extension(x509.SubjectAlternativeName(names), critical=False)
        signed = unsigned.sign(self._key, hashes.SHA256())
        pair = KeyPair(self._folder / f"{name}.crt", self._folder / f"{name}.key")
        pair.certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        write_private_key(key, pair.key)
        return pair


def _make_authority(name: x509.Name, certificate: Path, key_file: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    unsigned = _builder(name, name, key.public_key())
    authority = x509.BasicConstraints(ca=True, path_length=0)
    signed = unsigned.add_extension(authority, critical=True).sign(key, hashes.SHA256())
    certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    write_private_key(key, key_file)


def write_private_key(key: ec.EllipticCurvePrivateKey, file: Path) -> None:
    """Write a key so that only its owner can read it."""
    file.touch(mode=0o600)
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            # The traditional form, because that is what all of Kubernetes' programs read.
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )


def signing_key(folder: Path) -> Path:
    """A key that service account tokens are signed and checked with."""
    file = folder / "service-accounts.key"
    write_private_key(ec.generate_private_key(ec.SECP256R1()), file)
    return file


def _subject(holder: Holder) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, holder.user)]
    if holder.group is not None:
        attributes.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, holder.group))
    return x509.Name(attributes)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _LEEWAY)
        .not_valid_after(now + _LIFETIME)
    )
