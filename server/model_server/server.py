"""The server put together, and its life: ports first, then models, and at the end a drain."""

import logging
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

from model_server.api.direct import Direct
from model_server.api.grpc.standard_services import Health
from model_server.api.model_counts import ModelCounts
from model_server.api.native_port import QUICK
from model_server.api.rest import prometheus
from model_server.api.rest.answers import Answers
from model_server.api.rest.endpoint import RestEndpoint
from model_server.api.rest.listening import Listen as RestListen
from model_server.api.rest.native import NativeRestEndpoint
from model_server.api.rest.pages import Watch
from model_server.api.transport import WAITING, at_once, bell_of, transport_of
from model_server.batching.steps.stepper import StepLimits
from model_server.core.manager import Manager, ManagerOptions
from model_server.core.source import FileSystemSource, SourceOptions
from model_server.options.cpus import CPUS
from model_server.options.flags import Options
from model_server.options.model_config import reread_model_config
from model_server.options.model_limits import model_limits_of
from model_server.options.monitoring import prometheus_path
from model_server.options.platforms import platforms_of
from model_server.options.thread_pool_factory import check_thread_pool_factory
from model_server.request_logs.files import FileLimits
from model_server.request_logs.request_logs import RequestLogs
from model_server.servables.allocator import GivingBack
from model_server.servables.batched import Batchers
from model_server.servables.platform import Servable
from model_server.servables.registry import Platforms
from model_server.servables.retrying import may_pass
from model_server.servables.runtimes import runtimes_of
from model_server.servables.signature import PART_PREFIX
from model_server.servables.stepping.stepped import Stepping
from model_server.service.config_polling import ConfigPoller
from model_server.service.inference import Inference
from model_server.service.metrics.serving import ServingMetrics
from model_server.service.models import Models
from model_server.service.predict import Predict
from model_server.service.service import Service
from model_server.service.starting import Starting
from model_server.storage.files import Files
from model_server.storage.folders import folders
from model_server.storage.model_cache import ModelCache
from model_server.storage.remote_files import Patience, RemoteFiles
from model_server.telemetry.tracing import NO_TRACING, Tracing

_log = logging.getLogger(__name__)

# Kubernetes kills 30 seconds after it asked to end; by then all must be over.
_GRACE = 20.0
_LAST_WORDS = 1.5
# Seconds until a signal is seen at the latest.
_LOOK_AGAIN = 0.2
_UNLOAD = timedelta(seconds=5)


@dataclass(frozen=True)
class Ports:
    """Where the server listens; None is not at all."""

    grpc: int | None
    rest: int | None


class Server:
    """One server process's worth of endpoints, models and threads."""

    def __init__(self, options: Options, config: object, tracing: Tracing = NO_TRACING) -> None:
        check_thread_pool_factory(options)
        self._options = options
        self._config = config
        self._tracing = tracing
        self._ports = Ports(None, None)
        self._runtimes = runtimes_of(options)
        self._manager: Manager[Servable] = Manager(_manager_options(options))
        self._giving_back = GivingBack()
        self._manager.subscribe(self._giving_back)
        self._metrics = ServingMetrics(self._manager)
        self._batchers = Batchers(self._metrics.batching, bell_of(options))
        self._request_logs = RequestLogs(self._metrics.request_log, _file_limits(options))
        self._cache = ModelCache(
            options.model_cache_folder, options.model_cache_limit_bytes or None
        )
        self._models = self._models_of_platforms()
        self._source = FileSystemSource(
            self._models.aspire,
            Files(RemoteFiles(_patience(options))),
            SourceOptions(timedelta(seconds=options.file_system_poll_wait_seconds)),
        )
        self._models.watch(self._source)
        self._config_poller = _config_poller(options, self._models)
        self._starting = Starting(self._manager, self._models.seen, self._announce)
        self._service = self._service_of_models()
        self._answers = Answers(self._service)
        refused = partial(self._metrics.refused, "GRPC")
        self._counts = self._counts_of_models()
        self._transport = transport_of(options)
        listen = replace(
            self._transport.grpc,
            own=self._own(options.grpc_max_threads),
            models=self._counts,
        )
        self._grpc = self._transport.grpc_endpoint(listen, self._health(), refused, tracing)
        self._rest = self._rest_endpoint(self._transport.rest) if self._transport.rest else None
        self._manager.subscribe(lambda _change: self._forget())
        self._models.when_changed(self._forget)

    def _counts_of_models(self) -> ModelCounts:
        return ModelCounts(
            model_limits_of(self._options.max_in_flight_requests_per_model).of,
            lambda model: self._models.is_served(model.removeprefix(PART_PREFIX)),
        )

    def _forget(self) -> None:
        """What was decided for requests holds as long as versions and configuration do."""
        self._grpc.forget()
        if self._rest is not None:
            self._rest.forget()

    def _models_of_platforms(self) -> Models:
        chosen = {**self._runtimes.classes, **platforms_of(self._options)}
        models = Models(
            self._manager,
            Platforms(self._runtimes.common, chosen, self._runtimes.named),
            self._metrics,
            self._request_logs,
            folders(self._cache),
            self._options.allow_version_labels_for_unavailable_models,
        )
        limits = StepLimits(active=self._options.max_active_rows, threads=CPUS)
        models.batch_with(
            lambda platform: Stepping(limits, self._batchers.of(self._runtimes.of(platform)))
        )
        return models

    def _service_of_models(self) -> Service:
        check_methods = self._options.enable_signature_method_name_check
        return Service(
            self._models,
            Predict(self._starting, self._metrics, check_methods),
            Inference(self._starting, self._metrics, check_methods),
            self._metrics,
            self._starting,
        )

    def _own(self, threads: int) -> Callable[[str], int]:
        """How many requests of a model may run or wait for others, whatever other models do."""
        batched = at_once(self._options, threads)

        def own(model: str) -> int:
            if model.startswith(PART_PREFIX):
                # Those that have a turn wait for such requests, here and on other members.
                return WAITING
            if self._options.enable_batching:
                return batched
            return WAITING if self._models.shares_runs(model) else 1

        return own

    def _rest_endpoint(self, listen: RestListen) -> RestEndpoint | NativeRestEndpoint:
        watch = Watch(
            self._models.readiness,
            self._answers.models,
            lambda: prometheus.page(self._metrics.collect()),
            prometheus_path(self._options),
        )
        refused = partial(self._metrics.refused, "REST")
        own = self._own(self._options.rest_api_num_threads)
        listen = replace(listen, own=own, models=self._counts)
        made = self._transport.rest_endpoint(listen, self._answers, watch, refused, self._tracing)
        made.answer_later_by(self._answers.later)
        return made

    def start(self) -> Ports:
        """Opens the ports, begins to load, makes the gRPC methods known.

        Health and status are answered at once; everything else when TensorFlow is imported.
        Raises CannotListen, and ServingError for a configuration that cannot be.
        """
        self._models.start(self._config)
        if self._options.model_base_path and not self._options.model_config_file:
            # After the path was checked, as it could hold a password.
            _log.info(
                "Building single TensorFlow model file config:  model_name: %s model_base_path: %s",
                self._options.model_name,
                self._options.model_base_path,
            )
        self._cache.sweep()
        rest = self._rest.start() if self._rest else None
        grpc = self._grpc.start()
        if self._rest is not None and rest is None:
            # It has no port of its own.
            rest = grpc
        self._ports = Ports(grpc, rest)
        _log.info("Open: gRPC port %s, REST port %s; models are being loaded", grpc, rest)
        self._make_methods_known()
        self._source.start()
        self._starting.start()
        if self._config_poller:
            self._config_poller.start()
        return self._ports

    def _health(self) -> Health | None:
        if not self._options.enable_grpc_healthcheck_service:
            return None
        health = Health(self._models.readiness)
        self._manager.subscribe(lambda _change: health.changed())
        return health

    def _make_methods_known(self) -> None:
        # Only now, because this imports TensorFlow, which takes seconds; and before anything loads,
        # because two threads that import parts of it at the same time break it.
        from model_server.api.grpc.methods import methods, waiting_methods
        from model_server.api.grpc.profiler_service import ProfilerService
        from model_server.api.grpc.warm_up import WarmUp
        from model_server.api.recording import Recording
        from model_server.api.rest.example_answers import ExampleAnswers

        recording = Recording(self._request_logs, self._options.saved_model_tags.split(","))
        direct = self._direct_predict()
        as_content = self._options.enable_serialization_as_tensor_content
        self._grpc.serve(
            methods(self._service, recording, as_content=as_content),
            beside=ProfilerService().handlers() if self._options.enable_profiler else {},
            # Where nothing is batched, it must cost nothing to ask whether it is.
            waiting=waiting_methods(self._service, recording, as_content=as_content)
            if self._runtimes.batch
            else {},
            direct=direct,
        )
        if self._rest is not None:
            self._rest.answer_directly_by(direct)
        self._models.warm_up_with(
            lambda platform: WarmUp(self._service, self._runtimes.of(platform).warm_ups)
        )
        more = ExampleAnswers(self._service, recording)
        self._answers.record_with(recording.predict)
        self._answers.add(
            {"classify": more.classify, "regress": more.regress, "metadata": more.metadata}
        )

    def _direct_predict(self) -> Direct | None:
        if self._tracing is not NO_TRACING:
            # Spans are made by Python.
            return None
        from model_server.api.direct_predict import DirectPredict

        direct = DirectPredict(
            self._service,
            self._options.enable_serialization_as_tensor_content,
            QUICK,
            self._counts.has_limit,
            lambda: self._request_logs.are_on,
        )
        self._metrics.gather_by(direct.gather)
        return direct

    def _announce(self) -> None:
        # Only when every model had its chance: scripts wait for these lines before they ask.
        if self._options.num_load_threads:
            # All threads bring up the first models; later ones load beside requests.
            self._manager.set_load_threads(self._options.num_load_threads)
        ports = self._ports
        _log.info("Finished adding/updating models")
        if self._options.enable_profiler:
            _log.info("Profiler service is enabled")
        if ports.grpc is not None:
            _log.info("Running gRPC ModelServer at 0.0.0.0:%d ...", ports.grpc)
        if self._options.grpc_socket_path:
            _log.info(
                "Running gRPC ModelServer at UNIX socket %s ...", self._options.grpc_socket_path
            )
        if ports.rest is not None:
            _log.info("Exporting HTTP/REST API at:localhost:%d ...", ports.rest)

    def drain(self) -> None:
        """Says "not ready" from now on; requests are still answered."""
        self._models.drain()

    def stop(self, grace: float = _GRACE) -> None:
        """Drains, finishes running requests for at most ``grace`` seconds, unloads."""
        until = time.monotonic() + grace
        self.drain()
        draining = threading.Thread(target=self._grpc.stop, args=(grace,), daemon=True)
        draining.start()
        if self._rest is not None:
            self._rest.stop(grace)
        draining.join(max(0.0, until - time.monotonic()) + 1)
        # No request is at hand any more.
        last_words = [
            threading.Thread(target=stop, args=(_LAST_WORDS,), daemon=True)
            for stop in (self._request_logs.stop, self._tracing.stop)
        ]
        for telling in last_words:
            telling.start()
        if self._config_poller:
            self._config_poller.stop()
        self._starting.stop()
        self._source.stop()
        self._giving_back.stop()
        self._batchers.stop(_LAST_WORDS)
        self._manager.stop(_UNLOAD)
        self._cache.close()
        for telling in last_words:
            telling.join()


def run(options: Options, config: object, tracing: Tracing = NO_TRACING) -> None:
    """Serves until SIGTERM or SIGINT. Raises what Server.start raises."""
    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: ending.set())
    server = Server(options, config, tracing)
    server.start()
    # Python runs handlers in this thread, and a signal that another one gets does not wake it.
    while not ending.wait(_LOOK_AGAIN):
        pass
    _log.info("Ending: finishing the requests at hand")
    server.stop()
    _log.info("Ended")


def _patience(options: Options) -> Patience:
    return Patience(reuse=timedelta(seconds=options.remote_file_system_poll_wait_seconds))


def _manager_options(options: Options) -> ManagerOptions:
    return ManagerOptions(
        # One slow or failing model must not keep the others waiting.
        load_threads=4 * CPUS,
        unload_threads=options.num_unload_threads or CPUS,
        max_load_retries=options.max_num_load_retries,
        memory_limit=options.model_memory_limit_bytes or None,
        load_retry_interval=timedelta(microseconds=options.load_retry_interval_micros),
        should_retry=may_pass,
    )


def _config_poller(options: Options, models: Models) -> ConfigPoller | None:
    interval = options.model_config_file_poll_wait_seconds
    if interval <= 0 or not options.model_config_file:
        return None
    return ConfigPoller(
        lambda: reread_model_config(options), models.reload, timedelta(seconds=interval)
    )


def _file_limits(options: Options) -> FileLimits:
    return FileLimits(
        options.request_log_folder,
        options.request_log_file_bytes,
        options.request_log_files,
    )
