"""Which models are served: applies configurations to the source and the manager."""

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from model_server.core.errors import Code, NotAvailable, ServingError
from model_server.core.manager import Manager
from model_server.core.servable import ServableId, State
from model_server.core.source import FileSystemSource, WatchedStream
from model_server.request_logs.request_logs import RequestLogs
from model_server.servables.batched import unbatched
from model_server.servables.loading import Batch, Surroundings, VersionLoader, WarmUp
from model_server.servables.platform import GroupServable, Servable
from model_server.servables.registry import Platforms
from model_server.service import readiness
from model_server.service.metrics.serving import ServingMetrics
from model_server.service.model_configs import (
    ModelConfig,
    check_change,
    labels_of,
    loggings_of,
    models_of,
)
from model_server.service.readiness import ModelSeen, Readiness, Reason
from model_server.storage.folders import Folder, LocalFolder

_LOOK_AGAIN = timedelta(seconds=0.2)

_log = logging.getLogger(__name__)


@dataclass
class Models:
    """The configured models. ``source`` must emit to ``aspire``."""

    manager: Manager[Servable]
    platforms: Platforms
    metrics: ServingMetrics
    request_logs: RequestLogs
    folder: Callable[[str], Folder] = LocalFolder
    allow_unavailable_labels: bool = False
    _models: dict[str, ModelConfig] = field(default_factory=dict)
    _changing: threading.Lock = field(default_factory=threading.Lock)
    _source: FileSystemSource | None = None
    _warm_up: Callable[[str], WarmUp | None] = lambda _platform: None
    _batch: Callable[[str], Batch | None] = lambda _platform: None
    _changed: Callable[[], None] = lambda: None
    _draining: bool = False

    def watch(self, source: FileSystemSource) -> None:
        """Finds versions by this source, which emits to ``aspire``."""
        self._source = source

    def warm_up_with(self, warm_up: Callable[[str], WarmUp | None]) -> None:
        """Warms up what is loaded from now on by a platform, before it is available."""
        self._warm_up = warm_up

    def batch_with(self, batch: Callable[[str], Batch | None]) -> None:
        """Merges the requests for what is loaded from now on by a platform."""
        self._batch = batch

    def when_changed(self, tell: Callable[[], None]) -> None:
        """Calls this after each change of the configuration."""
        self._changed = tell

    def aspire(self, name: str, versions: Mapping[int, str]) -> None:
        """Loads exactly these versions, each from its path; the source's emit."""
        model = self._models.get(name)
        platform = model.platform if model else ""
        surroundings = Surroundings(
            self.metrics.loading.load, self._warm_up(platform), self._batch(platform)
        )
        self.manager.aspire(
            name,
            {
                version: VersionLoader(
                    self.platforms,
                    platform,
                    ServableId(name, version),
                    path,
                    self.folder(path),
                    surroundings,
                )
                for version, path in versions.items()
            },
        )

    def start(self, config: Any) -> None:
        """Takes the first configuration, a ModelServerConfig. Raises ServingError.

        Labels may name versions that are not loaded yet, since none is at the start.
        """
        with self._changing:
            self._apply(models_of(config, self.platforms.names, self.platforms.off))
            self.manager.set_labels(labels_of(self._models.values()), allow_unavailable=True)

    def reload(self, config: Any) -> None:
        """Replaces the configuration and waits until models that are new are available.

        Raises ServingError: INVALID_ARGUMENT for a configuration that cannot be,
        FAILED_PRECONDITION for a label on a version that is not available, UNKNOWN for new models
        that did not load.
        """
        if not config.HasField("model_config_list"):
            raise ServingError(
                Code.INVALID_ARGUMENT,
                "ServerModelConfig type not supported by HandleReloadConfigRequest."
                " Only ModelConfigList is currently supported",
            )
        with self._changing:
            models = models_of(config, self.platforms.names, self.platforms.off)
            check_change(self._models, models)
            new = sorted(models.keys() - self._models.keys())
            changed = models != self._models
            self._apply(models)
            self._wait_for(new)
            if changed:
                _log.info("Finished adding/updating models")
            self.manager.set_labels(
                labels_of(models.values()), allow_unavailable=self.allow_unavailable_labels
            )

    def _apply(self, models: dict[str, ModelConfig]) -> None:
        loggings = loggings_of(models.values())
        self.request_logs.check(loggings)
        if models != self._models:
            # A file that is polled says the same again and again.
            _log.info("Adding/updating models.")
        for name in sorted(models.keys() - self._models.keys()):
            _log.info(" (Re-)adding model: %s", name, extra={"model": name})
        self._models = models
        self.metrics.serve(models.keys())
        self.request_logs.update(loggings)
        self._changed()
        if self._source is not None:
            self._source.update(
                [
                    WatchedStream(model.name, model.base_path, model.policy)
                    for model in models.values()
                ]
            )

    def _wait_for(self, names: list[str]) -> None:
        causes: list[tuple[object, ServingError | None]] = []
        for name in names:
            causes.extend(self._wait_for_one(name))
        if causes:
            raise NotAvailable.because(causes, "model")

    def _wait_for_one(self, name: str) -> list[tuple[object, ServingError | None]]:
        """What keeps a model from becoming available, when that is certain; [] if it has become so.

        TensorFlow Serving waits for ever for a base path that does not exist; here it is a cause,
        and the model will load all the same when the path appears.
        """
        while True:
            if self.manager.wait_until([name], State.AVAILABLE, _LOOK_AGAIN).ok:
                return []
            seen = self._seen(self._models[name])
            if seen.statuses and all(status.state is State.END for status in seen.statuses):
                return [(status.id, status.error) for status in seen.statuses]
            judged = readiness.judge(seen)
            if judged.reason in (Reason.BASE_PATH_NOT_FOUND, Reason.VERSION_NOT_FOUND):
                return [(f"{{name: {name}}}", ServingError(Code.NOT_FOUND, judged.message))]

    def drain(self) -> None:
        """From now on no model is ready."""
        self._draining = True

    def names(self) -> list[str]:
        """The configured models, sorted."""
        return sorted(self._models)

    def is_served(self, name: str) -> bool:
        """Whether a model of this name is configured; quick, from any thread."""
        return name in self._models

    def readiness(self) -> Readiness:
        """Whether all models can be asked, and why not; quick, from any thread."""
        models = self._models
        if self._draining:
            return readiness.draining(sorted(models))
        return Readiness(tuple(readiness.judge(model) for model in self.seen()))

    def seen(self) -> list[ModelSeen]:
        """What readiness depends on, for each configured model; quick, from any thread."""
        models = self._models
        return [self._seen(models[name]) for name in sorted(models)]

    def _seen(self, model: ModelConfig) -> ModelSeen:
        statuses = self.manager.statuses(model.name)
        errors = {
            status.id.version: self.manager.last_error(model.name, status.id.version)
            for status in statuses
        }
        return ModelSeen(
            name=model.name,
            base_path=model.base_path,
            named=model.named_versions,
            finding=self._source.finding(model.name) if self._source else None,
            statuses=statuses,
            failures={version: error for version, error in errors.items() if error is not None},
            hindrances=self._hindrances(status.id for status in statuses),
        )

    def shares_runs(self, name: str) -> bool:
        """Whether requests for the latest version of a model wait for each other to run together.

        So it is with one that batches in its graph, and with one that is advanced by steps.
        """
        with suppress(ServingError), self.manager.handle(name) as handle:
            return bool(getattr(handle.servable, "batches_itself", False))
        return False

    def _hindrances(self, ids: Iterable[ServableId]) -> dict[int, str]:
        found = {}
        for id in ids:
            # One that is not available has no need of a reason beside that.
            with suppress(ServingError), self.manager.handle(id.name, id.version) as handle:
                servable = unbatched(handle.servable)
                if isinstance(servable, GroupServable) and servable.hindrance is not None:
                    found[id.version] = servable.hindrance
        return found
