"""Clients of a model server as a user would write them: plain gRPC stubs and plain HTTP."""

import http.client
import json
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from server.identities import Identity


@dataclass(frozen=True)
class HttpAnswer:
    """What came back."""

    status: int
    body: bytes
    headers: dict[str, str]

    def header(self, name: str) -> str | None:
        """What was sent under this name, in whatever case."""
        return next((text for key, text in self.headers.items() if key.lower() == name), None)

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class HttpClient:
    """Requests to one port of loopback."""

    def __init__(self, port: int) -> None:
        self.port = port

    def connection(self) -> http.client.HTTPConnection:
        """One that is not open yet."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=180)

    def request(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> HttpAnswer:
        connection = self.connection()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, path, body, named)
            answer = connection.getresponse()
            return HttpAnswer(answer.status, answer.read(), dict(answer.getheaders()))
        finally:
            connection.close()

    def get(self, path: str) -> HttpAnswer:
        return self.request("GET", path)

    def post(self, path: str, body: bytes | str | dict[str, Any]) -> HttpAnswer:
        if isinstance(body, dict):
            body = json.dumps(body)
        return self.request("POST", path, body.encode() if isinstance(body, str) else body)

    def wait_for(
        self, path: str, wanted: Callable[[HttpAnswer], bool], seconds: float = 180
    ) -> HttpAnswer:
        """Asks until the answer is as wanted; a port that is not open yet is asked again."""
        until = time.monotonic() + seconds
        while True:
            try:
                answer = self.get(path)
                if wanted(answer):
                    return answer
                seen = answer.text
            except OSError as error:
                seen = str(error)
            if time.monotonic() > until:
                raise TimeoutError(f"{path} does not become as wanted: {seen}")
            time.sleep(0.05)

    def wait_until(self, path: str, status: int) -> HttpAnswer:
        """Asks until the answer has this status."""
        return self.wait_for(path, lambda answer: answer.status == status)

    def wait_until_ready(self) -> HttpAnswer:
        """Asks until every model is ready and none of their versions is still being loaded.

        A model is ready when any of its versions can be asked: the newest may still be to come.
        """
        answer = self.wait_until("/readyz", 200)
        for model in answer.json["models"]:
            self.wait_for(f"/v1/models/{model['name']}", _all_are_loaded)
        return answer

    def wait_until_available(self, model: str, *versions: int) -> None:
        """Asks until each version can be asked: a model is ready when any of them can."""
        for version in versions:
            path = f"/v1/models/{model}/versions/{version}"
            self.wait_for(path, lambda answer: '"AVAILABLE"' in answer.text)

    def wait_until_reason(self, reason: str) -> HttpAnswer:
        """Asks until a model is not ready for this reason."""
        return self.wait_for("/readyz", lambda answer: f'"{reason}"' in answer.text)


def _all_are_loaded(answer: HttpAnswer) -> bool:
    return not any(f'"{state}"' in answer.text for state in ("START", "LOADING"))


class HttpsClient(HttpClient):
    """An HTTPS client that trusts one server and, if it has an identity, shows it."""

    def __init__(self, port: int, trusted: Identity, folder: Path, own: Identity | None = None):
        super().__init__(port)
        self._context = ssl.create_default_context(cadata=trusted.certificate.decode())
        if own is not None:
            file = folder / "client.pem"
            file.write_bytes(own.key + own.certificate)
            self._context.load_cert_chain(file)

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPSConnection(
            "127.0.0.1", self.port, timeout=180, context=self._context
        )


class GrpcClient:
    """The stubs of tensorflow-serving-api on one channel."""

    def __init__(self, target: str) -> None:
        # Imports TensorFlow, which the tests of pure rules do not need.
        from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

        self.target = target
        self.channel = grpc.insecure_channel(target)
        self.prediction = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)
        self.model = model_service_pb2_grpc.ModelServiceStub(self.channel)

    def close(self) -> None:
        self.channel.close()
