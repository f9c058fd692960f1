"""An SSLConfig is checked before anything listens, and never told."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from model_server.options.certificates import doubt
from model_server.options.command_line import InvalidOptions
from model_server.options.tls import tls_of
from server.identities import Identity, ssl_config

ONE, OTHER = Identity(), Identity()
PARSING = "Error parsing text-format tensorflow.serving.SSLConfig"
BOTH = "server_key and server_cert must both be given"


@pytest.fixture
def file(tmp_path):
    """Writes an SSLConfig; its path."""

    def write(text: str) -> str:
        path = tmp_path / "ssl.config"
        path.write_text(text)
        return str(path)

    return write


def replace(path: str, text: str) -> None:
    """Puts another file in the place of this one, as a kubelet does."""
    another = Path(f"{path}.new")
    another.write_text(text)
    another.replace(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", BOTH, id="an empty file"),
        pytest.param(ssl_config(server_key=ONE.key), BOTH, id="no certificate"),
        pytest.param(ssl_config(server_cert=ONE.certificate), BOTH, id="no key"),
        pytest.param(
            ssl_config(server_key=ONE.key, server_cert=ONE.certificate, client_verify=True),
            "client_verify needs custom_ca",
            id="clients, but nobody who certifies them",
        ),
        pytest.param("server_cert: 'b'\nserver_key: 'secret", f"{PARSING}, at line 2", id="open"),
        pytest.param("secret", f"{PARSING}, at line 1", id="no field"),
        pytest.param("server_key 'secret'", f"{PARSING}, at line 1", id="no colon"),
        pytest.param(
            ssl_config(server_key=b"secret", server_cert=ONE.certificate),
            "server_key holds no PEM private key that can be read",
            id="a key that is none",
        ),
        pytest.param(
            ssl_config(server_key=ONE.key[:-60], server_cert=ONE.certificate),
            "server_key holds no PEM private key that can be read",
            id="half a key",
        ),
        pytest.param(
            ssl_config(server_key=ONE.encrypted_key, server_cert=ONE.certificate),
            "server_key is encrypted; give it without a passphrase",
            id="a key under a passphrase",
        ),
        pytest.param(
            ssl_config(server_key=ONE.key, server_cert=b"secret"),
            "server_cert holds no PEM certificate that can be read",
            id="a certificate that is none",
        ),
        pytest.param(
            ssl_config(server_key=ONE.key, server_cert=ONE.key),
            "server_cert holds no PEM certificate that can be read",
            id="a key in place of a certificate",
        ),
        pytest.param(
            ssl_config(server_key=OTHER.key, server_cert=ONE.certificate),
            "server_key is not the key of server_cert, which is the certificate of CN=localhost",
            id="the key of another certificate",
        ),
        pytest.param(
            ssl_config(server_key=ONE.key, server_cert=ONE.certificate, custom_ca=b"secret"),
            "custom_ca holds no PEM certificate that can be read",
            id="a certifier that is none",
        ),
    ],
)
def test_a_config_that_cannot_be_is_told_without_its_text(file, text, message):
    path = file(text)

    with pytest.raises(InvalidOptions) as raised:
        tls_of(path)

    assert str(raised.value) == f"{path}: {message}"
    assert raised.value.__cause__ is None


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InvalidOptions, match="/none: No such file or directory"):
        tls_of(str(tmp_path / "none"))


def test_no_file_is_no_tls():
    assert tls_of("") is None


def test_the_key_does_not_reach_a_log(file):
    tls = tls_of(file(ssl_config(server_key=ONE.key, server_cert=ONE.certificate)))

    assert repr(tls.now()) == "Tls(verify_clients=False)"


def test_a_file_is_read_again_when_another_takes_its_place(file):
    path = file(ssl_config(server_key=ONE.key, server_cert=ONE.certificate))
    tls = tls_of(path)
    first = tls.now()
    unchanged = tls.now()

    replace(path, ssl_config(server_key=OTHER.key, server_cert=OTHER.certificate))

    assert unchanged is first
    assert (first.certificate, tls.now().certificate) == (ONE.certificate, OTHER.certificate)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", BOTH, id="an empty file"),
        pytest.param(
            ssl_config(server_key=OTHER.key, server_cert=ONE.certificate),
            "server_key is not the key of server_cert",
            id="the key of another certificate",
        ),
        pytest.param(
            ssl_config(
                server_key=OTHER.key,
                server_cert=OTHER.certificate,
                custom_ca=ONE.certificate,
                client_verify=True,
            ),
            "another client_verify needs a new start",
            id="clients are asked all at once",
        ),
    ],
)
def test_what_cannot_be_used_later_is_told_once_and_changes_nothing(file, caplog, text, message):
    path = file(ssl_config(server_key=ONE.key, server_cert=ONE.certificate))
    tls = tls_of(path)
    first = tls.now()

    replace(path, text)

    assert (tls.now(), tls.now()) == (first, first)
    (record,) = caplog.records
    assert message in record.getMessage()
    assert record.getMessage().endswith("; what it said before is still used")


def test_a_file_that_vanishes_changes_nothing_until_there_is_another(file, caplog):
    path = file(ssl_config(server_key=ONE.key, server_cert=ONE.certificate))
    tls = tls_of(path)

    Path(path).unlink()
    meanwhile = tls.now()
    replace(path, ssl_config(server_key=OTHER.key, server_cert=OTHER.certificate))

    assert (meanwhile.certificate, tls.now().certificate) == (ONE.certificate, OTHER.certificate)
    assert "No such file or directory" in caplog.text


def test_a_certificate_out_of_its_time_is_doubted():
    now = datetime.now(UTC)

    assert doubt(ONE.certificate, now) is None
    assert "the certificate of CN=localhost expired at 20" in str(
        doubt(ONE.certificate, now + timedelta(hours=2))
    )
    assert "the certificate of CN=localhost begins at 20" in str(
        doubt(ONE.certificate, now - timedelta(hours=2))
    )
