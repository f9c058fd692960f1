"""TLS and client certificates on the gRPC port, and the UNIX socket."""

import grpc
import pytest
from tensorflow_serving.apis.get_model_status_pb2 import (
    GetModelStatusRequest,
    GetModelStatusResponse,
)

from server.conftest import model_config
from server.identities import Identity, config_file

STATUS = "/tensorflow.serving.ModelService/GetModelStatus"


def status(channel: grpc.Channel) -> GetModelStatusResponse:
    call = channel.unary_unary(
        STATUS, GetModelStatusRequest.SerializeToString, GetModelStatusResponse.FromString
    )
    with channel:
        return call(GetModelStatusRequest(model_spec={"name": "two"}), timeout=180)


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
