"""A certificate that is renewed in its file is shown, and asked for, without a new start."""

import http.client
from functools import partial
from pathlib import Path

import grpc
import pytest

from model_server.api.grpc.endpoint import GrpcEndpoint
from model_server.api.grpc.endpoint import Listen as GrpcListen
from model_server.api.grpc.native.endpoint import NativeEndpoint
from model_server.api.rest.endpoint import RestEndpoint
from model_server.api.rest.listening import Listen as RestListen
from model_server.api.rest.native import NativeRestEndpoint
from model_server.api.rest.pages import Watch
from model_server.options.tls import TlsFile
from model_server.service.readiness import Readiness
from server.clients import HttpsClient
from server.identities import Identity, config_file
from server.transports import REST_TRANSPORTS, TRANSPORTS

METHOD = "/test.Service/Echo"
OLD, NEW, CLIENT, NEXT_CLIENT = Identity(), Identity(), Identity(), Identity()


class Grpc:
    """A gRPC port, and clients that call it once."""

    def __init__(self, endpoint: type[GrpcEndpoint | NativeEndpoint], path: str) -> None:
        self._endpoint = endpoint(GrpcListen(0, tls=TlsFile(path)))
        handler = grpc.unary_unary_rpc_method_handler(lambda request, _context: request)
        self._endpoint.serve({METHOD: handler})
        self._target = f"127.0.0.1:{self._endpoint.start()}"
        self.stop = self._endpoint.stop

    def ask(self, trusted: Identity, own: Identity) -> str:
        credentials = grpc.ssl_channel_credentials(trusted.certificate, own.key, own.certificate)
        alone = [("grpc.use_local_subchannel_pool", 1)]
        with grpc.secure_channel(self._target, credentials, alone) as channel:
            return channel.unary_unary(METHOD)(b"asked", timeout=180).decode()


class Rest:
    """A REST port, and clients that ask it once."""

    def __init__(self, endpoint: type[RestEndpoint | NativeRestEndpoint], path: str) -> None:
        watch = Watch(lambda: Readiness(()), lambda: "asked")
        listen = RestListen(0, tls=TlsFile(path))
        self._endpoint = endpoint(listen, lambda _route, _body: "", watch)
        self._port = self._endpoint.start()
        self._folder = Path(path).parent
        self.stop = self._endpoint.stop

    def ask(self, trusted: Identity, own: Identity) -> str:
        return HttpsClient(self._port, trusted, self._folder, own).get("/models").text


PORTS = [
    pytest.param(partial(port, *transport.values), id=transport.id, marks=transport.marks)
    for port, transports in ((Grpc, TRANSPORTS), (Rest, REST_TRANSPORTS))
    for transport in transports
]


@pytest.fixture(params=PORTS)
def port(request, tmp_path):
    opened = request.param(config_file(tmp_path, OLD, CLIENT))
    yield opened
    opened.stop(1)


REFUSED = (grpc.RpcError, OSError, http.client.HTTPException)


def test_a_new_certificate_is_shown_to_new_connections(port, tmp_path):
    before = port.ask(OLD, CLIENT)

    config_file(tmp_path, NEW, CLIENT)

    assert (before, port.ask(NEW, CLIENT)) == ("asked", "asked")
    with pytest.raises(REFUSED):
        port.ask(OLD, CLIENT)


def test_only_clients_of_the_new_certifier_are_let_in(port, tmp_path):
    with pytest.raises(REFUSED):
        port.ask(OLD, NEXT_CLIENT)

    config_file(tmp_path, OLD, NEXT_CLIENT)

    assert port.ask(OLD, NEXT_CLIENT) == "asked"
    with pytest.raises(REFUSED):
        port.ask(OLD, CLIENT)
