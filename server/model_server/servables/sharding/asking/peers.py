"""How a member asks the others: by PredictionService, as clients do."""

import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import grpc
import numpy as np
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse

from model_server.core.errors import Code, MemberLost, ServingError
from model_server.core.servable import ServableId
from model_server.options.shards import Shards
from model_server.options.tls import Tls
from model_server.servables import tensors
from model_server.servables.dtypes import STRING
from model_server.servables.sharding.group.entry import Answer
from model_server.servables.sharding.group.member_part import TOKEN
from model_server.servables.signature import Tensors

_PREDICT = "/tensorflow.serving.PredictionService/Predict"
_CHANNEL: list[tuple[str, Any]] = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # A failed question is the failure of the request, which another group may answer.
    ("grpc.enable_retries", 0),
    # A member that comes back has another address; gRPC would look only every 30 seconds.
    ("grpc.dns_min_time_between_resolutions_ms", 500),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 5_000),
]
# What says of a member that it is not the one that is wanted, which passes.
_OF_ANOTHER_GROUP = frozenset(
    {Code.NOT_FOUND, Code.FAILED_PRECONDITION, Code.PERMISSION_DENIED, Code.UNIMPLEMENTED}
)


class Peers:
    """The members of a group as one of them asks them; connections are made when first needed."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards
        self._timeout = shards.timeout_seconds
        self._lock = threading.Lock()
        self._predicts: dict[int, Any] = {}
        self._tls: Tls | None = None

    def ask(self, id: ServableId, signature: str, questions: Mapping[int, Tensors]) -> list[Answer]:
        """Asks other members about a version, see Members.ask; each has the timeout."""
        calls = [
            (member, self._request(id, signature, inputs)) for member, inputs in questions.items()
        ]
        # One that is called is cheaper than one that is waited for.
        waiting = [
            (member, self._predict(member).future(request, timeout=self._timeout))
            for member, request in calls[:-1]
        ]
        last = [
            self._answer(member, partial(self._predict(member), request, self._timeout))
            for member, request in calls[-1:]
        ]
        return [*(self._answer(member, call.result) for member, call in waiting), *last]

    def _request(self, id: ServableId, signature: str, inputs: Tensors) -> PredictRequest:
        request = PredictRequest()
        request.model_spec.name = id.name
        request.model_spec.version.value = id.version
        request.model_spec.signature_name = signature
        for alias, value in inputs.items():
            tensors.encode(value, request.inputs[alias], as_content=True)
        if self._shards.token:
            shown = np.array(self._shards.token, STRING.numpy)
            tensors.encode(shown, request.inputs[TOKEN])
        return request

    def _answer(self, member: int, wait: Callable[[], PredictResponse]) -> Answer:
        try:
            outputs = wait().outputs
        except grpc.RpcError as error:
            return self._error(member, error)
        return {alias: tensors.decode(value) for alias, value in outputs.items()}

    def _error(self, member: int, error: Any) -> ServingError:
        code = Code(error.code().value[0])
        said = f"member {member} at {self._shards.members[member]}: {error.details()}"
        is_lost = code is Code.UNAVAILABLE or code in _OF_ANOTHER_GROUP
        return MemberLost(said) if is_lost else ServingError(code, said)

    def _predict(self, member: int) -> Any:
        tls = self._shards.tls.now() if self._shards.tls else None
        with self._lock:
            if tls is not self._tls:
                # Renewed certificates are for new connections.
                self._tls, self._predicts = tls, {}
            if member not in self._predicts:
                channel = _channel(self._shards.members[member], tls)
                self._predicts[member] = channel.unary_unary(
                    _PREDICT,
                    request_serializer=PredictRequest.SerializeToString,
                    response_deserializer=PredictResponse.FromString,
                )
            return self._predicts[member]


def _channel(address: str, tls: Tls | None) -> grpc.Channel:
    if tls is None:
        return grpc.insecure_channel(address, _CHANNEL)
    # Without an authority of their own all members show one certificate.
    trusted = tls.client_ca or tls.certificate
    credentials = grpc.ssl_channel_credentials(trusted, tls.key, tls.certificate)
    return grpc.secure_channel(address, credentials, _CHANNEL)
