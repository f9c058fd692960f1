"""What every container of ours must do without: Kubernetes' Pod Security Standard "restricted".

Source: https://kubernetes.io/docs/concepts/security/pod-security-standards/.
"""

from model_operator.domain.manifests import Manifest

# The user and group of our images.
_USER = 65532


def pod_security() -> Manifest:
    """The security context of a pod."""
    return {
        "runAsNonRoot": True,
        "runAsUser": _USER,
        "runAsGroup": _USER,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def pod_security_with_volumes() -> Manifest:
    """The same for a pod that writes to volumes of its own."""
    return pod_security() | {"fsGroup": _USER}


def container_security() -> Manifest:
    """The security context of a container."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
