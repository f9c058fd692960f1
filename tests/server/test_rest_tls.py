"""TLS and client certificates on the REST port, with the health that a kubelet asks for."""

import http.client
import logging
import ssl
from datetime import timedelta

import pytest

from server.clients import HttpsClient
from server.conftest import model_config, serve
from server.identities import Identity, config_file

PREDICT = "/v1/models/two:predict"
STRANGER = {
    "error": "This server answers clients that show a certificate only;"
    " without one, /healthz and /readyz can be asked"
}


@pytest.fixture(scope="module")
def server_identity() -> Identity:
    return Identity()


@pytest.fixture(scope="module")
def client_identity() -> Identity:
    return Identity()


@pytest.fixture(scope="module")
def open_to_all(model_folders, server_identity, tmp_path_factory):
    """A server with TLS for REST, which asks nobody for a certificate."""
    file = config_file(tmp_path_factory.mktemp("tls"), server_identity)
    running = serve(model_config(model_folders / "two"), rest_api_ssl_config_file=file)
    yield running
    running.end()


@pytest.fixture(scope="module")
def choosy(model_folders, server_identity, client_identity, tmp_path_factory):
    """A server with TLS for REST, which serves one client only."""
    file = config_file(tmp_path_factory.mktemp("mtls"), server_identity, client_identity)
    running = serve(model_config(model_folders / "two"), rest_api_ssl_config_file=file)
    yield running
    running.end()


def test_clients_that_trust_the_certificate_are_served(open_to_all, server_identity, tmp_path):
    client = HttpsClient(open_to_all.http.port, server_identity, tmp_path)
    client.wait_until_available("two", 2)

    assert client.post(PREDICT, {"inputs": 2.0}).json == {"outputs": 4.0}
    assert client.get("/monitoring/prometheus/metrics").status == 200


def test_clients_that_do_not_trust_the_certificate_end_the_connection(open_to_all, tmp_path):
    client = HttpsClient(open_to_all.http.port, Identity(), tmp_path)

    with pytest.raises(ssl.SSLCertVerificationError):
        client.get("/healthz")


def test_what_is_no_tls_is_not_answered_and_harms_nobody(open_to_all, server_identity, tmp_path):
    with pytest.raises((http.client.HTTPException, OSError)):
        open_to_all.http.get("/healthz")

    client = HttpsClient(open_to_all.http.port, server_identity, tmp_path)
    assert client.get("/healthz").text == "ok"


def test_a_certified_client_is_served(choosy, server_identity, client_identity, tmp_path):
    client = HttpsClient(choosy.http.port, server_identity, tmp_path, client_identity)
    client.wait_until_available("two", 2)

    assert client.post(PREDICT, {"inputs": 2.0}).json == {"outputs": 4.0}
    assert client.get("/monitoring/prometheus/metrics").status == 200


def test_a_client_without_a_certificate_can_ask_for_health_only(choosy, server_identity, tmp_path):
    client = HttpsClient(choosy.http.port, server_identity, tmp_path)
    client.wait_until_ready()

    assert client.get("/healthz").text == "ok"
    for method, path in (
        ("POST", PREDICT),
        ("GET", "/v1/models/two"),
        ("GET", "/models"),
        ("GET", "/monitoring/prometheus/metrics"),
        ("GET", "/elsewhere"),
    ):
        refused = client.request(method, path)
        assert (refused.status, refused.json) == (401, STRANGER)


def test_a_client_certified_by_others_is_refused(choosy, server_identity, tmp_path):
    client = HttpsClient(choosy.http.port, server_identity, tmp_path, Identity())

    with pytest.raises((ssl.SSLError, OSError)):
        client.get("/v1/models/two")


def test_an_expired_certificate_is_told_at_the_start(model_folders, tmp_path, caplog):
    file = config_file(tmp_path, Identity(begins=timedelta(hours=-3)))

    with caplog.at_level(logging.ERROR):
        running = serve(model_config(model_folders / "two"), rest_api_ssl_config_file=file)
    running.end()

    assert f"{file}: the certificate of CN=localhost expired at 20" in caplog.text
