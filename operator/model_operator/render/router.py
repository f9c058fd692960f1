"""The objects that make up the router of one namespace."""

from model_operator.domain.manifests import Manifest
from model_operator.domain.routing.routers import (
    FIRST_PORT,
    HEALTH_PORT,
    LAST_PORT,
    ROUTER_NAME,
    SELECTOR,
)
from model_operator.render.restricted import container_security, pod_security_with_volumes
from model_operator.settings import Role, RouterSettings

_RBAC = "rbac.authorization.k8s.io"
_STATE = "/var/lib/model-router"
_DRAIN_SECONDS = 25
# The router ends by itself when it has drained; this is for one that hangs.
_GRACE_SECONDS = 45
_WORKERS = 1
# Measured: 80 MiB of the router and 64 to 110 MiB of Envoy, by the number of models; bodies that
# may have to be sent again come on top.
_RESOURCES = {"requests": {"cpu": "100m", "memory": "192Mi"}, "limits": {"memory": "1Gi"}}


def router_objects(namespace: str, settings: RouterSettings) -> list[Manifest]:
    """In the order in which they are to be made: rights, guards, pods."""
    budget = [_disruption_budget(namespace)] if settings.replicas > 1 else []
    return [
        _object("v1", "ServiceAccount", namespace),
        _role_binding(namespace, settings.role),
        _network_policy(namespace),
        *budget,
        _deployment(namespace, settings),
    ]


def _object(version: str, kind: str, namespace: str) -> Manifest:
    metadata = {"name": ROUTER_NAME, "namespace": namespace, "labels": dict(SELECTOR)}
    return {"apiVersion": version, "kind": kind, "metadata": metadata}


def _role_binding(namespace: str, role: Role) -> Manifest:
    """A router reads the records and endpoints of its own namespace, and writes nothing."""
    return _object(f"{_RBAC}/v1", "RoleBinding", namespace) | {
        "roleRef": {"apiGroup": _RBAC, "kind": role.kind, "name": role.name},
        "subjects": [{"kind": "ServiceAccount", "name": ROUTER_NAME, "namespace": namespace}],
    }


def _network_policy(namespace: str) -> Manifest:
    """The ports of models are open to all, and so is that of the probes; no other is."""
    return _object("networking.k8s.io/v1", "NetworkPolicy", namespace) | {
        "spec": {
            "podSelector": {"matchLabels": dict(SELECTOR)},
            "policyTypes": ["Ingress"],
            "ingress": [
                {
                    "ports": [
                        {"protocol": "TCP", "port": FIRST_PORT, "endPort": LAST_PORT},
                        {"protocol": "TCP", "port": HEALTH_PORT},
                    ]
                }
            ],
        }
    }


def _disruption_budget(namespace: str) -> Manifest:
    return _object("policy/v1", "PodDisruptionBudget", namespace) | {
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": dict(SELECTOR)}}
    }


def _deployment(namespace: str, settings: RouterSettings) -> Manifest:
    selector = {"matchLabels": dict(SELECTOR)}
    return _object("apps/v1", "Deployment", namespace) | {
        "spec": {
            "replicas": settings.replicas,
            # All traffic of the namespace goes through these pods: never one fewer.
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
            },
            "revisionHistoryLimit": 2,
            "selector": selector,
            "template": {"metadata": {"labels": dict(SELECTOR)}, "spec": _pod(namespace, settings)},
        }
    }


def _pod(namespace: str, settings: RouterSettings) -> Manifest:
    """A pod that passes the `restricted` Pod Security Standard."""
    return {
        "serviceAccountName": ROUTER_NAME,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": _GRACE_SECONDS,
        "securityContext": pod_security_with_volumes(),
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": dict(SELECTOR)},
            }
        ],
        "containers": [_container(namespace, settings)],
        "volumes": [
            {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}},
            # Outlives the container: a router that restarts serves what it knew.
            {"name": "state", "emptyDir": {"sizeLimit": "256Mi"}},
        ],
    }


def _container(namespace: str, settings: RouterSettings) -> Manifest:
    return {
        "name": "router",
        "image": settings.image,
        "args": [
            f"--namespace={namespace}",
            f"--state-dir={_STATE}",
            f"--concurrency={_WORKERS}",
            f"--health-port={HEALTH_PORT}",
            f"--drain-seconds={_DRAIN_SECONDS}",
            *(["--access-log"] if settings.logs_requests else []),
        ],
        "ports": [{"name": "health", "containerPort": HEALTH_PORT, "protocol": "TCP"}],
        "startupProbe": _probe("/healthz", period=1, failures=60),
        "livenessProbe": _probe("/healthz", period=10, failures=6),
        "readinessProbe": _probe("/readyz", period=2, failures=3),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "resources": settings.resources or _RESOURCES,
        "securityContext": container_security(),
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/tmp"},
            {"name": "state", "mountPath": _STATE},
        ],
    }


def _probe(path: str, period: int, failures: int) -> Manifest:
    return {
        "httpGet": {"path": path, "port": "health"},
        "periodSeconds": period,
        "timeoutSeconds": 3,
        "failureThreshold": failures,
    }
