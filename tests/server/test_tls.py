"""TLS and client certificates on the gRPC port, and the UNIX socket."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tensorflow_serving.apis.get_model_status_pb2 import (
    GetModelStatusRequest,
    GetModelStatusResponse,
)

from model_server.options.command_line import InvalidOptions
from model_server.options.flags import Options
from model_server.options.tls import tls_of
from server.conftest import model_config

STATUS = "/tensorflow.serving.ModelService/GetModelStatus"


class Identity:
    """A key and a certificate for loopback that it signed itself, as PEM."""

    def __init__(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), False
            )
            .sign(key, hashes.SHA256())
        )
        pem = serialization.Encoding.PEM
        self.certificate = certificate.public_bytes(pem)
        self.key = key.private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


def config_file(path, server: Identity, client: Identity | None = None) -> str:
    lines = [f"server_key: {server.key!r}", f"server_cert: {server.certificate!r}"]
    if client is not None:
        lines += [f"custom_ca: {client.certificate!r}", "client_verify: true"]
    file = path / "ssl.config"
    file.write_text("\n".join(lines).replace(": b'", ": '"))
    return str(file)


def status(channel: grpc.Channel) -> GetModelStatusResponse:
    call = channel.unary_unary(
        STATUS, GetModelStatusRequest.SerializeToString, GetModelStatusResponse.FromString
    )
    with channel:
        return call(GetModelStatusRequest(model_spec={"name": "two"}), timeout=20)


@pytest.fixture(scope="module")
def server_identity() -> Identity:
    return Identity()


@pytest.fixture(scope="module")
def client_identity() -> Identity:
    return Identity()


def test_clients_that_trust_the_certificate_are_served(
    started, model_folders, tmp_path, server_identity
):
    file = config_file(tmp_path, server_identity)
    running = started(model_config(model_folders / "two"), ssl_config_file=file)
    running.http.wait_until_ready()
    credentials = grpc.ssl_channel_credentials(server_identity.certificate)

    answer = status(grpc.secure_channel(running.grpc.target, credentials))

    assert [version.version for version in answer.model_version_status] == [2, 1]
    with pytest.raises(grpc.RpcError):
        status(grpc.insecure_channel(running.grpc.target))


def test_only_certified_clients_are_served_if_asked_for(
    started, model_folders, tmp_path, server_identity, client_identity
):
    file = config_file(tmp_path, server_identity, client_identity)
    running = started(model_config(model_folders / "two"), ssl_config_file=file)
    running.http.wait_until_ready()
    trusted = server_identity.certificate
    known = grpc.ssl_channel_credentials(trusted, client_identity.key, client_identity.certificate)
    unknown = grpc.ssl_channel_credentials(trusted)

    answer = status(grpc.secure_channel(running.grpc.target, known))

    assert len(answer.model_version_status) == 2
    with pytest.raises(grpc.RpcError):
        status(grpc.secure_channel(running.grpc.target, unknown))


def test_a_unix_socket_is_served_too(started, model_folders, tmp_path):
    path = str(tmp_path / "socket")
    running = started(model_config(model_folders / "two"), grpc_socket_path=path)
    running.http.wait_until_ready()

    answer = status(grpc.insecure_channel(f"unix:{path}"))

    assert len(answer.model_version_status) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "server_key and server_cert must both be given"),
        ("server_key: 'a'", "server_key and server_cert must both be given"),
        ("server_key: 'a' server_cert: 'b' client_verify: true", "client_verify needs custom_ca"),
        ("key: 'a'", "Error parsing text-format tensorflow.serving.SSLConfig"),
    ],
)
def test_a_config_that_cannot_be_is_named(tmp_path, text, message):
    file = tmp_path / "ssl.config"
    file.write_text(text)

    with pytest.raises(InvalidOptions, match=message):
        tls_of(Options(ssl_config_file=str(file)))


def test_the_key_does_not_reach_a_log(tmp_path):
    file = tmp_path / "ssl.config"
    file.write_text("server_key: 'secret' server_cert: 'b'")

    assert "secret" not in repr(tls_of(Options(ssl_config_file=str(file))))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("server_cert: 'b'\nserver_key: 'secret", ", at line 2"),
        ("secret", ", at line 1"),
        ("server_key 'secret'", ", at line 1"),
    ],
)
def test_a_config_that_does_not_parse_is_told_without_its_text(tmp_path, text, message):
    file = tmp_path / "ssl.config"
    file.write_text(text)

    with pytest.raises(InvalidOptions) as raised:
        tls_of(Options(ssl_config_file=str(file)))

    assert str(raised.value) == (
        f"{file}: Error parsing text-format tensorflow.serving.SSLConfig{message}"
    )
    assert raised.value.__cause__ is None
