"""The REST API's actions that need TensorFlow's protos: classify, regress, metadata."""

from dataclasses import dataclass

from model_server.api.recording import Recording
from model_server.api.rest import examples_json, metadata_json, predict_json
from model_server.api.rest.routes import Route
from model_server.service.examples import Examples
from model_server.service.model_spec import ModelSpec
from model_server.service.service import Service


@dataclass(frozen=True)
class ExampleAnswers:
    """Answers requests by calling the service; called from many threads at once."""

    service: Service
    recording: Recording

    def classify(self, route: Route, body: bytes) -> str:
        """Classes of Examples. Raises ServingError."""
        spec, examples = _parse(route, body)
        made = self.service.classify(spec, examples)
        text = examples_json.classifications(made.result)
        self.recording.classify(spec, examples, made, len(body) + len(text))
        return text

    def regress(self, route: Route, body: bytes) -> str:
        """Numbers for Examples. Raises ServingError."""
        spec, examples = _parse(route, body)
        made = self.service.regress(spec, examples)
        text = examples_json.regressions(made.result)
        self.recording.regress(spec, examples, made, len(body) + len(text))
        return text

    def metadata(self, route: Route, _body: bytes) -> str:
        """Signatures. Raises ServingError."""
        return metadata_json.metadata(self.service.metadata(route.spec))


def _parse(route: Route, body: bytes) -> tuple[ModelSpec, Examples]:
    document = predict_json.read_object(body)
    name = predict_json.signature_name(document)
    return route.spec._replace(signature_name=name), examples_json.examples_of(document)
