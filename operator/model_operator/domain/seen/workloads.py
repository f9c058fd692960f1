"""What keeps the pods of a revision: a Deployment, or groups of StatefulSets' pods."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from model_operator.domain import names
from model_operator.domain.manifests import Manifest, is_terminating, label_of
from model_operator.domain.seen.pods import Pod
from model_operator.domain.seen.troubles import Trouble, trouble_of_workload


@dataclass(frozen=True)
class Workload:
    """The Deployment or the groups of a revision, reduced to what decisions need.

    `replicas` are asked for; of a model that is divided each is a group, and `ready` counts those
    that are whole. `is_current` means that all pods were made from the template that is wanted now.
    """

    revision: str
    replicas: int
    ready: int
    is_current: bool
    trouble: Trouble | None


@dataclass(frozen=True)
class Group:
    """One copy of a model that is divided: the members that a StatefulSet keeps.

    `ready` counts the members that are ready, `pods` are all that are there, those on their way
    out too. `is_current` is as a Workload's. `trouble` is what keeps members from being created.
    """

    name: str
    shards: int
    ready: int
    is_current: bool
    pods: tuple[Pod, ...] = ()
    trouble: Trouble | None = None

    @property
    def number(self) -> int:
        return names.number_at_end(self.name)

    @property
    def is_whole(self) -> bool:
        """Whether it can answer: each member is ready only when all are there."""
        return self.ready >= self.shards

    @property
    def staying(self) -> tuple[Pod, ...]:
        """The members that are not on their way out."""
        return tuple(pod for pod in self.pods if not pod.is_terminating)

    @property
    def has_all_pods(self) -> bool:
        """Whether all members are there, ready or not."""
        return len(self.staying) >= self.shards

    @property
    def is_placed(self) -> bool:
        """Whether each of its members has a node."""
        return sum(bool(pod.node) for pod in self.staying) >= self.shards

    @property
    def has_lost_member(self) -> bool:
        """True when it was whole, and a member is gone or has begun anew since.

        A member that was never ready, beside one that was, came later than the others.
        """
        is_new = [not pod.is_ready and not pod.was_ready for pod in self.staying]
        is_less = len(is_new) < self.shards or any(is_new)
        return is_less and any(pod.was_ready for pod in self.staying)


def workload_of(manifest: Manifest) -> Workload:
    """From the Deployment of a revision."""
    return Workload(
        revision=manifest["metadata"]["name"],
        replicas=_asked(manifest),
        ready=_ready(manifest),
        is_current=_is_current(manifest),
        trouble=trouble_of_workload(manifest),
    )


def groups_of(
    sets: Iterable[Manifest], pods: Iterable[Pod], troubles: Mapping[str, Trouble]
) -> tuple[Group, ...]:
    """The groups that StatefulSets keep, by number; those on their way out are none.

    `troubles` are those of groups by name.
    """
    members: dict[str, list[Pod]] = {}
    for pod in pods:
        members.setdefault(pod.group, []).append(pod)
    found = [
        Group(
            name=manifest["metadata"]["name"],
            shards=_asked(manifest),
            ready=_ready(manifest),
            is_current=_is_current(manifest),
            pods=tuple(members.get(manifest["metadata"]["name"], ())),
            trouble=troubles.get(manifest["metadata"]["name"]),
        )
        for manifest in sets
        if not is_terminating(manifest)
    ]
    return tuple(sorted(found, key=lambda group: group.number))


def lacks_pods(manifest: Manifest) -> bool:
    """Whether a StatefulSet was seen by its controller and has not all of its pods."""
    status = manifest.get("status") or {}
    is_seen = int(status.get("observedGeneration") or 0) > 0
    return is_seen and int(status.get("replicas") or 0) < _asked(manifest)


def workload_of_groups(members: Manifest, groups: Sequence[Group]) -> Workload:
    """From the Service under which the members of a revision's groups find each other."""
    replicas = asked_groups(members) or 0
    return Workload(
        revision=label_of(members, names.MEMBERS_LABEL),
        replicas=replicas,
        ready=sum(group.is_whole for group in groups),
        is_current=len(groups) >= replicas and all(group.is_current for group in groups),
        trouble=None,
    )


def asked_groups(service: Manifest) -> int | None:
    """How many groups a revision should have; None where somebody has spoilt it."""
    told = (service["metadata"].get("annotations") or {}).get(names.GROUPS_ANNOTATION, "")
    return int(told) if told.isascii() and told.isdecimal() else None


def _asked(manifest: Manifest) -> int:
    return int(manifest["spec"].get("replicas", 1))


def _ready(manifest: Manifest) -> int:
    return int((manifest.get("status") or {}).get("readyReplicas") or 0)


def _is_current(manifest: Manifest) -> bool:
    status, metadata = manifest.get("status") or {}, manifest["metadata"]
    is_seen = int(status.get("observedGeneration") or 0) >= int(metadata.get("generation") or 0)
    return is_seen and int(status.get("updatedReplicas") or 0) >= _asked(manifest)
