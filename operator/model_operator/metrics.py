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
        self.queued = Gauge(
            "modelfleet_queue_depth",
            "ModelDeployments that wait for a pass.",
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

    def count_request(self, verb: str, kind: str, status: int) -> None:
        self.requests.labels(verb, kind, status).inc()
