"""The metrics of a server: those of its requests, and all others by what they are about."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping

from model_server.core.errors import Code
from model_server.core.manager import Manager
from model_server.servables.platform import Servable
from model_server.service.metrics.batching import BatchingMetrics
from model_server.service.metrics.kinds import (
    OTHER,
    Counter,
    Family,
    Histogram,
    Labels,
    exponential,
)
from model_server.service.metrics.loading import LoadingMetrics
from model_server.service.metrics.outcome import outcome
from model_server.service.metrics.requests import RequestMetrics, Requests, RunMetrics, Runs


class ServingMetrics:
    """All metrics of one server; recording is thread-safe and quick.

    Requests for models that are not configured count under one name, ``(other)``: clients may ask
    for any, and must not choose how many time series there are.
    """

    def __init__(self, manager: Manager[Servable]) -> None:
        self._models: Collection[str] = ()
        self._gather: list[Callable[[], Mapping[str, int]]] = []
        self.batching = BatchingMetrics()
        self.loading = LoadingMetrics(manager)
        self._requests = RequestMetrics()
        self._runs = RunMetrics()
        # By what they are asked for with; only names that are configured and loaded come here.
        self._kept: dict[Labels, Requests] = {}
        self._kept_runs: dict[Labels, Runs] = {}
        self._examples = Histogram(
            "/tensorflow/serving/request_example_counts", exponential(1, 2, 15), "model"
        )
        self._example_total = Counter("/tensorflow/serving/request_example_count_total", "model")
        self._request_logs = Counter(
            "/tensorflow/serving/request_log_count", "model_name", "status_code"
        )
        self._refused = Counter("/modelfleet/serving/refused_request_count", "entrypoint")
        self._direct = Counter("/modelfleet/serving/direct_request_count", "model_name", "thread")

    def gather_by(self, gather: Callable[[], Mapping[str, int]]) -> None:
        """Has this called before anybody looks, for what is counted elsewhere.

        It gives the requests that are at hand there, by entrypoint.
        """
        self._gather.append(gather)

    def collect(self) -> list[Family]:
        """All metrics now."""
        elsewhere: dict[str, int] = defaultdict(int)
        for gather in self._gather:
            for entrypoint, number in gather().items():
                elsewhere[entrypoint] += number
        own = [
            metric.collect()
            for metric in (
                self._examples,
                self._example_total,
                self._request_logs,
                self._refused,
                self._direct,
            )
        ]
        requests = self._requests.collect(elsewhere) + self._runs.collect()
        return requests + own + self.loading.collect() + self.batching.collect()

    def serve(self, models: Collection[str]) -> None:
        """Names these models from now on."""
        self._models = models
        self._kept, self._kept_runs = {}, {}

    def requests(self, model: str, api: str, entrypoint: str) -> Requests:
        """What counts requests like this one."""
        labels = (model, api, entrypoint)
        kept = self._kept
        found = kept.get(labels)
        if found is None:
            if model not in self._models:
                return self._requests.of(OTHER, api, entrypoint)
            found = kept.setdefault(labels, self._requests.of(*labels))
        return found

    def request(self, model: str, api: str, entrypoint: str) -> outcome:
        """Records one request from its beginning to its end, however it ends."""
        requests = self.requests(model, api, entrypoint)
        return outcome(requests.end, requests.begin)

    def runs(self, model: str, signature: str, api: str) -> Runs:
        """What counts runs like this one."""
        labels = (model, signature, api)
        runs = self._kept_runs.get(labels)
        if runs is None:
            runs = self._kept_runs.setdefault(labels, self._runs.of(*labels))
        return runs

    def run(self, model: str, signature: str, api: str) -> outcome:
        """Records how a run of a servable ended, and how long it took if it ended well."""
        return outcome(self.runs(model, signature, api).end)

    def refused(self, entrypoint: str) -> None:
        """Records that a request was refused because there were too many at hand."""
        self._refused.add((entrypoint,))

    def direct(self, model: str, number: int, at_once: int) -> None:
        """Records how many requests were answered without Python's lock.

        ``at_once`` of them by the threads that serve connections.
        """
        self._direct.add((model, "connection"), at_once)
        self._direct.add((model, "request"), number - at_once)

    def request_log(self, model: str, code: Code) -> None:
        """Records what became of one request that was to be logged."""
        self._request_logs.add((model, code.name))

    def examples(self, model: str, count: int) -> None:
        """Records how many Examples a request had."""
        self._examples.add((model,), count)
        self._example_total.add((model,), count)


def first_points(families: list[Family]) -> dict[str, int]:
    """For each metric the number at its first point, which is all that a reload compares."""
    values = {}
    for family in families:
        first = next(iter(family.points.values()), 0)
        if isinstance(first, int | float):
            values[family.name] = int(first)
    return values
