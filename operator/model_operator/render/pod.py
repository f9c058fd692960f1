"""The pod of a revision: one model-server that serves one version of one model."""

from model_operator.domain import names
from model_operator.domain.manifests import Manifest
from model_operator.domain.placement.capacity import taken_by
from model_operator.domain.placement.topology import annotations_of
from model_operator.domain.wish.model import Scheme, Source
from model_operator.domain.wish.sharding import GangScheduling
from model_operator.domain.wish.spec import ModelDeployment
from model_operator.render import accelerator as accelerators
from model_operator.render.groups import member
from model_operator.render.groups.topology import topology_for
from model_operator.render.metadata import child_labels
from model_operator.render.model_flags import batching_flags, platform_flags
from model_operator.render.placement import placement, spread
from model_operator.render.restricted import container_security, pod_security

_MODELS = "/mnt/models"
# Endpoints need some seconds to forget a pod; until then it must go on serving (then drains).
_PRE_STOP_SECONDS = 10
_GRACE_SECONDS = 60
# The port opens before any model loads, but importing TensorFlow takes time on a busy node.
_START_PERIOD_SECONDS = 2
_START_FAILURES = 150


def pod_template(deployment: ModelDeployment, revision: str, default_image: str) -> Manifest:
    """The template for a new revision; it passes the `restricted` Pod Security Standard."""
    name, topology = deployment.identity.name, topology_for(deployment)
    annotations = {"annotations": annotations_of(topology)} if topology else {}
    return {
        "metadata": {"labels": child_labels(name, revision, deployment.arm_name)} | annotations,
        "spec": {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": _GRACE_SECONDS,
            "securityContext": pod_security(),
            "topologySpreadConstraints": spread(deployment, revision),
            "containers": [_server_container(deployment, revision, default_image)],
            "volumes": [
                {"name": "tmp", "emptyDir": {}},
                {"name": "models"} | _model_volume(deployment.model.source),
                *([member.volume(name)] if deployment.sharding else []),
            ],
        }
        | placement(deployment, topology)
        | _gates(deployment),
    }


def _gates(deployment: ModelDeployment) -> Manifest:
    """Members that take accelerators wait for each other; others may go as nodes have room."""
    sharding, resources = deployment.sharding, {"resources": _resources(deployment)}
    if sharding is None or sharding.gang_scheduling is not GangScheduling.GATED:
        return {}
    takes = taken_by({"containers": [resources]})
    return {"schedulingGates": [{"name": names.GANG_GATE}]} if takes else {}


def _server_container(deployment: ModelDeployment, revision: str, default_image: str) -> Manifest:
    serving = deployment.serving
    optional = {"env": _environment(deployment, revision), "resources": _resources(deployment)}
    return {
        "name": names.SERVER_CONTAINER,
        "image": serving.image or default_image,
        "args": [*_flags(deployment), *_member_flags(deployment, revision), *serving.args],
        "ports": [
            {"name": "grpc", "containerPort": names.GRPC_PORT, "protocol": "TCP"},
            {"name": "rest", "containerPort": names.REST_PORT, "protocol": "TCP"},
        ],
        "startupProbe": _probe("/healthz", _START_PERIOD_SECONDS, _START_FAILURES),
        "livenessProbe": _probe("/healthz", period=10, failures=6),
        "readinessProbe": _readiness(deployment),
        "lifecycle": {"preStop": {"sleep": {"seconds": _PRE_STOP_SECONDS}}},
        # The last lines of a crashed server's log reach the status of the ModelDeployment.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": container_security(),
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/tmp"},
            {"name": "models", "mountPath": _MODELS, "readOnly": True},
            *([member.mount()] if deployment.sharding else []),
        ],
    } | {part: value for part, value in optional.items() if value}


def _resources(deployment: ModelDeployment) -> Manifest:
    resources, accelerator = deployment.serving.resources, deployment.accelerator
    if accelerator is None:
        return resources
    limits = (resources.get("limits") or {}) | accelerators.limits(accelerator)
    return resources | {"limits": limits}


def _environment(deployment: ModelDeployment, revision: str) -> list[Manifest]:
    given, accelerator = deployment.serving.env, deployment.accelerator
    names_given = {variable["name"] for variable in given}
    demanded = accelerators.environment(accelerator) if accelerator else []
    if sharding := deployment.sharding:
        demanded += member.environment()
        # After that, whose variable it uses.
        if accelerator and accelerator.tpu and accelerator.tpu.hosts > 1:
            hosts = member.hosts(revision, sharding.shards)
            demanded += accelerators.member_environment(accelerator.tpu, hosts)
    return [*(item for item in demanded if item["name"] not in names_given), *given]


def _flags(deployment: ModelDeployment) -> list[str]:
    model, accelerator = deployment.model, deployment.accelerator
    given = deployment.serving.args
    following = accelerators.flags(accelerator, given) if accelerator else []
    # In a pod's args "$(NAME)" is expanded; the CRD keeps '$' out of names and paths.
    base_path = f"{_MODELS}/{model.source.path}" if _has_claim(model.source) else _MODELS
    return [
        f"--port={names.GRPC_PORT}",
        f"--rest_api_port={names.REST_PORT}",
        f"--model_name={model.name}",
        f"--model_base_path={base_path.rstrip('/')}",
        f"--model_version_policy=specific {{ versions: {model.version} }}",
        *platform_flags(model.platform),
        *batching_flags(deployment.serving.batching),
        *following,
    ]


def _member_flags(deployment: ModelDeployment, revision: str) -> list[str]:
    if deployment.sharding is None:
        return []
    return member.flags(revision, deployment.sharding.shards)


def _readiness(deployment: ModelDeployment) -> Manifest:
    if deployment.sharding is None:
        return _probe("/readyz", period=2, failures=3)
    # A member that has lost another can answer nothing: requests must go to another group. One late
    # answer of a busy server says nothing.
    return _probe("/readyz", period=1, failures=2)


def _model_volume(source: Source) -> Manifest:
    if _has_claim(source):
        return {"persistentVolumeClaim": {"claimName": source.volume, "readOnly": True}}
    # "Directory" makes a missing folder the kubelet's error instead of an empty one's creation.
    return {"hostPath": {"path": f"/{source.path}", "type": "Directory"}}


def _has_claim(source: Source) -> bool:
    return source.scheme is Scheme.PVC


def _probe(path: str, period: int, failures: int) -> Manifest:
    return {
        "httpGet": {"path": path, "port": "rest"},
        "periodSeconds": period,
        "timeoutSeconds": 3,
        "failureThreshold": failures,
    }
