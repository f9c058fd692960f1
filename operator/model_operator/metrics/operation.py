"""What the operator measures of itself, for Prometheus."""

from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from model_operator.metrics.objects import ObjectStates


class Metrics:
    """The collectors, registered in the registry that is passed in."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        counter, gauge = partial(Counter, registry=registry), partial(Gauge, registry=registry)
        histogram = partial(Histogram, registry=registry)
        self.passes = counter(
            "modelfleet_reconcile", "Passes over a ModelDeployment, by how they ended.", ["result"]
        )
        self.duration = histogram("modelfleet_reconcile_duration_seconds", "How long a pass takes.")
        self.requests = counter(
            "modelfleet_api_requests",
            "Requests to the API server beside watches, by verb, kind and HTTP status.",
            ["verb", "kind", "status"],
        )
        self.request_duration = histogram(
            "modelfleet_api_request_duration_seconds",
            "How long the API server takes to answer, by verb.",
            ["verb"],
        )
        self.queued = gauge("modelfleet_queue_depth", "ModelDeployments that wait for a pass.")
        self.waited = histogram(
            "modelfleet_queue_wait_seconds", "How long a ModelDeployment waits for a worker."
        )
        self.retries = counter(
            "modelfleet_queue_retries", "Passes that failed and are made again after a back-off."
        )
        self.leads = gauge("modelfleet_leader", "1 while this process works, 0 while it stands by.")
        self.deployments = gauge(
            "modelfleet_deployments",
            "ModelDeployments, by the reason of their Ready condition.",
            ["reason"],
        )
        self.changes = gauge(
            "modelfleet_changes",
            "Changes of revision that are under way or were given up, by phase.",
            ["phase"],
        )
        self.states = ObjectStates()
        registry.register(self.states)
        self._noted: dict[str, tuple[str, str | None]] = {}

    def note(self, name: str, reason: str, phase: str | None) -> None:
        """Count a ModelDeployment by the reason of its Ready condition and the phase of a change.

        Args:
            name: `NAMESPACE/NAME`.
            phase: None when nothing changes over.
        """
        self._uncount(name)
        self._noted[name] = (reason, phase)
        self.deployments.labels(reason).inc()
        if phase is not None:
            self.changes.labels(phase).inc()

    def forget(self, name: str) -> None:
        """Tell of it no more: it is gone."""
        self._uncount(name)
        self.states.forget(name)

    def _uncount(self, name: str) -> None:
        reason, phase = self._noted.pop(name, (None, None))
        if reason is not None:
            self.deployments.labels(reason).dec()
        if phase is not None:
            self.changes.labels(phase).dec()

    def count_request(self, verb: str, kind: str, status: int, seconds: float) -> None:
        self.requests.labels(verb, kind, status).inc()
        self.request_duration.labels(verb).observe(seconds)
