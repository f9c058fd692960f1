"""All use cases in one place: what a transport calls."""

from collections.abc import Sequence
from dataclasses import dataclass

from model_server.core.errors import UnknownModel
from model_server.core.servable import ServableStatus
from model_server.service.models import Models
from model_server.service.predict import Predict, PredictCall, Prediction


@dataclass(frozen=True)
class Service:
    """Thread-safe; every method raises ServingError for what a client can cause."""

    models: Models
    run_predict: Predict

    def predict(self, call: PredictCall) -> Prediction:
        """Runs one signature."""
        return self.run_predict(call)

    def status(self, name: str, version: int | None = None) -> Sequence[ServableStatus]:
        """The states of a model's versions, newest version first; of one version if it is given."""
        statuses = self.models.manager.statuses(name, version)
        if not statuses:
            raise UnknownModel(name, version)
        return statuses
