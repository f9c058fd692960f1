"""The REST API's actions that need TensorFlow's protos: classify, regress, metadata."""

from dataclasses import dataclass, replace

from model_server.api.rest import examples_json, metadata_json, predict_json
from model_server.api.rest.routes import Route
from model_server.service.examples import Examples
from model_server.service.model_spec import ModelSpec
from model_server.service.service import Service


@dataclass(frozen=True)
class ExampleAnswers:
    """Answers requests by calling the service; called from many threads at once."""

    service: Service

    def classify(self, route: Route, body: bytes) -> str:
        """Classes of Examples. Raises ServingError."""
        spec, examples = _parse(route, body)
        return examples_json.classifications(self.service.classify(spec, examples).result)

    def regress(self, route: Route, body: bytes) -> str:
        """Numbers for Examples. Raises ServingError."""
        spec, examples = _parse(route, body)
        return examples_json.regressions(self.service.regress(spec, examples).result)

    def metadata(self, route: Route, _body: bytes) -> str:
        """Signatures. Raises ServingError."""
        return metadata_json.metadata(self.service.metadata(route.spec))


def _parse(route: Route, body: bytes) -> tuple[ModelSpec, Examples]:
    document = predict_json.read_object(body)
    name = predict_json.signature_name(document)
    return replace(route.spec, signature_name=name), examples_json.examples_of(document)
