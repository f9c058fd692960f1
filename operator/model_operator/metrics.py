"""What the operator measures of itself, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class Metrics:
    """The collectors, registered in the registry that is passed in."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.passes = Counter(
            "modelfleet_reconcile",
            "Passes over a ModelDeployment, by how they ended.",
            ["result"],
            registry=registry,
        )
        self.duration = Histogram(
            "modelfleet_reconcile_duration_seconds",
            "How long a pass takes.",
            registry=registry,
        )
        self.requests = Counter(
            "modelfleet_api_requests",
            "Requests to the API server beside watches, by verb, kind and HTTP status.",
            ["verb", "kind", "status"],
            registry=registry,
        )
        self.request_duration = Histogram(
            "modelfleet_api_request_duration_seconds",
            "How long the API server takes to answer, by verb.",
            ["verb"],
            registry=registry,
        )
        self.queued = Gauge(
            "modelfleet_queue_depth",
            "ModelDeployments that wait for a pass.",
            registry=registry,
        )
        self.waited = Histogram(
            "modelfleet_queue_wait_seconds",
            "How long a ModelDeployment waits for a worker.",
            registry=registry,
        )
        self.retries = Counter(
            "modelfleet_queue_retries",
            "Passes that failed and are made again after a back-off.",
            registry=registry,
        )
        self.leads = Gauge(
            "modelfleet_leader",
            "1 while this process works, 0 while it stands by.",
            registry=registry,
        )
        self.deployments = Gauge(
            "modelfleet_deployments",
            "ModelDeployments, by the reason of their Ready condition.",
            ["reason"],
            registry=registry,
        )

        self.changes = Gauge(
            "modelfleet_changes",
            "Changes of revision that are under way or were given up, by phase.",
            ["phase"],
            registry=registry,
        )

        self._noted: dict[str, tuple[str, str | None]] = {}

    def note(self, name: str, reason: str, phase: str | None) -> None:
        """Count a ModelDeployment by the reason of its Ready condition and the phase of a change.

        Args:
            name: `NAMESPACE/NAME`.
            phase: None when nothing changes over.
        """
        self.forget(name)
        self._noted[name] = (reason, phase)
        self.deployments.labels(reason).inc()
        if phase is not None:
            self.changes.labels(phase).inc()

    def forget(self, name: str) -> None:
        """Count it no more: it is gone."""
        reason, phase = self._noted.pop(name, (None, None))
        if reason is not None:
            self.deployments.labels(reason).dec()
        if phase is not None:
            self.changes.labels(phase).dec()

    def count_request(self, verb: str, kind: str, status: int, seconds: float) -> None:
        self.requests.labels(verb, kind, status).inc()
        self.request_duration.labels(verb).observe(seconds)
