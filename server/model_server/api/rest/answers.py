"""The REST API's actions: a route and a body in, the text of the answer out."""

from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any

from model_server.api.rest import predict_json, status_json
from model_server.api.rest.predict_json import Form, PredictBody
from model_server.api.rest.routes import INFERENCE, Route
from model_server.core.errors import Code, ServingError
from model_server.core.going_on import Awaited
from model_server.servables.signature import Signature, Tensors
from model_server.service.model_spec import ModelSpec
from model_server.service.predict import PredictCall, Prediction
from model_server.service.service import Service

Action = Callable[[Route, bytes], str]
# What ``go_on`` does, to the text of the answer.
Later = Callable[[], Coroutine[Awaited[Any], None, str]]
# Given what was asked and what came of it, and the size of both in bytes.
Recorded = Callable[[ModelSpec, Tensors, Prediction, int], None]


class _Predicting:
    """One request to predict: its body, of a ``size`` in bytes, and what is in it."""

    __slots__ = ("_body", "decoded", "size", "spec")

    decoded: tuple[Form, Tensors]

    def __init__(self, spec: ModelSpec, body: PredictBody, size: int) -> None:
        self.spec = spec
        self._body = body
        self.size = size

    @classmethod
    def of(cls, route: Route, body: bytes) -> "_Predicting":
        """Raises ServingError for a body that is none."""
        parsed = predict_json.parse(body)
        return cls(route.spec._replace(signature_name=parsed.signature_name), parsed, len(body))

    @property
    def call(self) -> PredictCall:
        """What to run; it leaves ``decoded``."""
        return PredictCall(self.spec, self._decode, not_found=_not_found)

    def _decode(self, signature: Signature) -> Tensors:
        body = self._body
        # The text and the arrays are enough to hold while it waits.
        del self._body
        self.decoded = body.tensors(signature)
        return self.decoded[1]


class Answers:
    """Answers requests by calling the service; called from many threads at once."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._record: Recorded = lambda *_predict: None
        self._actions: dict[str, Action] = {
            "predict": self._predict,
            "status": self._status,
        }

    def add(self, actions: Mapping[str, Action]) -> None:
        """Makes more actions known, those whose modules were not imported at the start."""
        self._actions |= actions

    def record_with(self, record: Recorded) -> None:
        """Hands each predict that succeeded over to be recorded."""
        self._record = record

    def __call__(self, route: Route, body: bytes) -> str:
        """The body of the answer. Raises ServingError."""
        action = self._actions.get(route.action)
        if action is None:
            raise ServingError(Code.UNAVAILABLE, "The server is starting")
        # As upstream, status and metadata are recorded under no API's name.
        api = route.action if route.action in INFERENCE else ""
        with self._service.metrics.request(route.spec.name, api, "REST"):
            return action(route, body)

    def models(self) -> str:
        """All models and their versions' states."""
        states = {name: self._service.states(name) for name in self._service.model_names()}
        return status_json.models(states)

    def later(self, route: Route, body: bytes) -> Later | None:
        """How this is answered without a thread that waits; None if it has to be by one."""
        if route.action != "predict" or not self._service.may_wait(route.spec):
            return None
        try:
            predicting = _Predicting.of(route, body)
        except ServingError:
            return None
        return partial(self._later, predicting) if self._service.waits(predicting.spec) else None

    async def _later(self, predicting: "_Predicting") -> str:
        with self._service.metrics.request(predicting.spec.name, "predict", "REST"):
            return self._told(predicting, await self._service.predict_later(predicting.call))

    def _predict(self, route: Route, body: bytes) -> str:
        predicting = _Predicting.of(route, body)
        return self._told(predicting, self._service.predict(predicting.call))

    def _told(self, predicting: "_Predicting", prediction: Prediction) -> str:
        form, inputs = predicting.decoded
        text = predict_json.response(prediction.outputs, form)
        self._record(predicting.spec, inputs, prediction, predicting.size + len(text))
        return text

    def _status(self, route: Route, _body: bytes) -> str:
        return status_json.status(self._service.status(route.spec.name, route.spec.version))


def _not_found(name: str) -> ServingError:
    return ServingError(
        Code.INVALID_ARGUMENT, f'Serving signature name: "{name}" not found in signature def'
    )
