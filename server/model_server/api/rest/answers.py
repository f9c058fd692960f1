"""The REST API's actions: a route and a body in, the text of the answer out."""

from collections.abc import Callable, Mapping

from model_server.api.rest import predict_json, status_json
from model_server.api.rest.predict_json import Form
from model_server.api.rest.routes import INFERENCE, Route
from model_server.core.errors import Code, ServingError
from model_server.servables.signature import Signature, Tensors
from model_server.service.model_spec import ModelSpec
from model_server.service.predict import PredictCall, Prediction
from model_server.service.service import Service

Action = Callable[[Route, bytes], str]
# Given what was asked and what came of it, and the size of both in bytes.
Recorded = Callable[[ModelSpec, Tensors, Prediction, int], None]


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

    def _predict(self, route: Route, body: bytes) -> str:
        parsed = predict_json.parse(body)
        decoded: list[tuple[Form, Tensors]] = []

        def decode(signature: Signature) -> Tensors:
            decoded.append(parsed.tensors(signature))
            return decoded[0][1]

        spec = route.spec._replace(signature_name=parsed.signature_name)
        prediction = self._service.predict(PredictCall(spec, decode, not_found=_not_found))
        form, inputs = decoded[0]
        text = predict_json.response(prediction.outputs, form)
        self._record(spec, inputs, prediction, len(body) + len(text))
        return text

    def _status(self, route: Route, _body: bytes) -> str:
        return status_json.status(self._service.status(route.spec.name, route.spec.version))


def _not_found(name: str) -> ServingError:
    return ServingError(
        Code.INVALID_ARGUMENT, f'Serving signature name: "{name}" not found in signature def'
    )
