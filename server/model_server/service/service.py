"""All use cases in one place: what a transport calls."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from model_server.core.errors import UnknownModel
from model_server.core.servable import ServableStatus
from model_server.servables.signature import Tensor
from model_server.service.classify import Classes
from model_server.service.example_task import Answered
from model_server.service.examples import Examples
from model_server.service.inference import Inference, InferenceTask
from model_server.service.lender import Lender
from model_server.service.metadata import Metadata, metadata
from model_server.service.metrics.serving import ServingMetrics
from model_server.service.model_spec import ModelSpec
from model_server.service.models import Models
from model_server.service.predict import Predict, PredictCall, Prediction


@dataclass(frozen=True)
class Service:
    """Thread-safe; every method raises ServingError for what a client can cause."""

    models: Models
    run_predict: Predict
    inference: Inference
    metrics: ServingMetrics
    lender: Lender

    def predict(self, call: PredictCall) -> Prediction:
        """Runs one signature."""
        return self.run_predict(call)

    def may_wait(self, spec: ModelSpec) -> bool:
        """Whether ``waits`` can be true of any signature."""
        return self.run_predict.may_wait(spec)

    def waits(self, spec: ModelSpec) -> bool:
        """Whether ``predict_later`` answers for this spec without a thread that waits."""
        return self.run_predict.waits(spec)

    async def predict_later(self, call: PredictCall) -> Prediction:
        """The same as ``predict``, for work that waits by ``go_on``."""
        return await self.run_predict.later(call)

    def classify(self, spec: ModelSpec, examples: Examples) -> Answered[Classes]:
        """Labels and scores for examples."""
        return self.inference.classify(spec, examples)

    def regress(self, spec: ModelSpec, examples: Examples) -> Answered[Tensor]:
        """A number for each example."""
        return self.inference.regress(spec, examples)

    def multi_inference(
        self, tasks: Sequence[InferenceTask], examples: Examples
    ) -> list[Answered[Classes | Tensor]]:
        """Several classifications and regressions of the same examples."""
        return self.inference.multi(tasks, examples)

    def metadata(self, spec: ModelSpec) -> Metadata:
        """The servable a spec selects, for its signatures."""
        return metadata(self.lender, spec)

    def reload(self, config: Any) -> None:
        """Serves what this ModelServerConfig says; returns when new models are available."""
        self.models.reload(config)

    def model_names(self) -> Sequence[str]:
        """The models that are configured, sorted."""
        return self.models.names()

    def states(self, name: str) -> Sequence[ServableStatus]:
        """The states of a model's versions, newest version first; none before one was found."""
        return self.models.manager.statuses(name)

    def status(self, name: str, version: int | None = None) -> Sequence[ServableStatus]:
        """The states of a model's versions, newest version first; of one version if it is given."""
        statuses = self.models.manager.statuses(name, version)
        if not statuses:
            raise UnknownModel(name, version)
        return statuses
