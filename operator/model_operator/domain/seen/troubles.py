"""Why a replica is not ready, in the words of whoever knows: scheduler, kubelet or server."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from model_operator.domain.manifests import Manifest

# Longer messages (scheduler, quota, a last log line) are cut: status is no place for logs.
LONGEST_MESSAGE = 600


@dataclass(frozen=True)
class Trouble:
    """A reason (CamelCase, stable) and a sentence for a human."""

    reason: str
    message: str


UNSCHEDULABLE = "Unschedulable"

# The most telling first: what the user must change comes before what may pass by itself.
REASONS = (
    "BasePathNotFound",
    "VersionNotFound",
    "LoadFailed",
    "OutOfMemory",
    "Crashing",
    "ImagePullFailed",
    "SecretNotFound",
    "ConfigMapNotFound",
    "ContainerConfigError",
    "ClaimNotFound",
    "ClaimNotBound",
    "MountFailed",
    "SandboxFailed",
    "QuotaExceeded",
    "ServiceAccountNotFound",
    UNSCHEDULABLE,
    "FailedCreate",
    "Evicted",
    "Draining",
    "Loading",
    "Starting",
    # The others of a group tell of the one that keeps them waiting; that one itself knows why.
    "GroupNotWhole",
)
# A server may know reasons that this operator does not; they come from the model, so they lead.
_PRECEDENCE_OF_OTHERS = REASONS.index("LoadFailed")

# Reasons that pass by themselves in a start that goes well.
PASSING = frozenset({"Loading", "Starting", "Draining", "GroupNotWhole"})

_KUBELET_REASONS = {
    "ErrImagePull": "ImagePullFailed",
    "ImagePullBackOff": "ImagePullFailed",
    "InvalidImageName": "ImagePullFailed",
    "ErrImageNeverPull": "ImagePullFailed",
    "CreateContainerConfigError": "ContainerConfigError",
    "CreateContainerError": "ContainerConfigError",
    "RunContainerError": "ContainerConfigError",
}

_EVENT_REASONS = {
    "FailedMount": "MountFailed",
    "FailedAttachVolume": "MountFailed",
    "FailedMapVolume": "MountFailed",
    "FailedCreatePodSandBox": "SandboxFailed",
    # Of a StatefulSet, whose status says nothing of it.
    "FailedCreate": "FailedCreate",
}
# What the broad reasons of Kubernetes mean where their words are known.
_BY_WORDS = (
    (UNSCHEDULABLE, re.compile(r'persistentvolumeclaim "[^"]+" not found'), "ClaimNotFound"),
    (UNSCHEDULABLE, re.compile(r"unbound immediate PersistentVolumeClaims"), "ClaimNotBound"),
    ("FailedCreate", re.compile(r"exceeded quota"), "QuotaExceeded"),
    ("FailedCreate", re.compile(r'serviceaccount "[^"]+" not found'), "ServiceAccountNotFound"),
    ("ContainerConfigError", re.compile(r'secret "[^"]+" not found'), "SecretNotFound"),
    ("ContainerConfigError", re.compile(r'configmap "[^"]+" not found'), "ConfigMapNotFound"),
)
# The kubelet tells the same with and without it, by turns.
_BACK_OFF = re.compile(r'^Back-off pulling image "[^"]*": ErrImagePull: ')
_MANY_RESTARTS = 5
_LAST_LINES = 3


def most_telling(troubles: Iterable[Trouble]) -> Trouble | None:
    """The trouble to show when there is room for one; the same one whatever the order."""
    return min(troubles, key=_rank, default=None)


def trouble_of_pod(pod: Manifest) -> Trouble | None:
    """What the scheduler or the kubelet holds against the pod; None when nothing."""
    status = pod.get("status") or {}
    if status.get("phase") == "Failed":
        return _trouble(
            status.get("reason") or "Evicted", status.get("message") or "the pod failed"
        )
    for condition in status.get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return _trouble(UNSCHEDULABLE, condition.get("message") or "no node fits")
    for container in status.get("containerStatuses") or ():
        if trouble := _trouble_of_container(container):
            return trouble
    return None


def trouble_of_workload(deployment: Manifest) -> Trouble | None:
    """What kept pods from being created (quota, admission); None when nothing."""
    for condition in (deployment.get("status") or {}).get("conditions") or ():
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            return _trouble("FailedCreate", condition.get("message") or "pods cannot be created")
    return None


def trouble_of_events(events: Iterable[Manifest]) -> Trouble | None:
    """Why a pod's containers, or a group's pods, cannot be made, by the Warning events about it.

    None when they do not tell.
    """
    return most_telling(
        _trouble(_EVENT_REASONS[event["reason"]], event.get("message") or event["reason"])
        for event in events
        if event.get("reason") in _EVENT_REASONS
    )


def trouble_of_answer(answer: Any) -> Trouble | None:
    """What the server itself says in the body of /readyz; None when it says nothing is wrong."""
    models = answer.get("models") if isinstance(answer, dict) else None
    if not isinstance(models, list):
        return Trouble("Starting", "the server's readiness answer is not understood")
    return most_telling(
        _trouble(str(model.get("reason") or "Loading"), str(model.get("message") or ""))
        for model in models
        if isinstance(model, dict) and not model.get("ready")
    )


def _trouble_of_container(container: Manifest) -> Trouble | None:
    state = container.get("state") or {}
    waiting = state.get("waiting") or {}
    if reason := _KUBELET_REASONS.get(waiting.get("reason", "")):
        return _trouble(reason, _BACK_OFF.sub("", waiting.get("message") or waiting["reason"]))
    last = state.get("terminated") or (container.get("lastState") or {}).get("terminated")
    if not last or ("running" in state and container.get("ready")):
        return None
    if last.get("reason") == "OOMKilled":
        return _trouble("OutOfMemory", "the container was killed at its memory limit")
    if last.get("exitCode") == 0:
        return None
    said = _last_words(last.get("message") or "")
    ended = f"the container ended with exit code {last.get('exitCode')}"
    # A count that grows for ever would be a write for each restart.
    times = int(container.get("restartCount") or 0)
    ended += f", restarted {times if times < _MANY_RESTARTS else 'many'} times"
    return _trouble("Crashing", f"{ended}: {said}" if said else ended)


def _last_words(log: str) -> str:
    """The end of a log, where the error stands; before it there is often a page of usage."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    return " | ".join(lines[-_LAST_LINES:])


def _trouble(reason: str, message: str) -> Trouble:
    # The end of a log tells more than its beginning; of a sentence, the beginning does.
    if len(message) > LONGEST_MESSAGE:
        half = LONGEST_MESSAGE // 2
        message = f"{message[:half]} … {message[-half:]}"
    finer = (name for broad, words, name in _BY_WORDS if broad == reason and words.search(message))
    return Trouble(next(finer, reason), message)


def _rank(trouble: Trouble) -> tuple[int, str]:
    known = trouble.reason in REASONS
    place = REASONS.index(trouble.reason) if known else _PRECEDENCE_OF_OTHERS
    return place, trouble.message
