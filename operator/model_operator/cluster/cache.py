"""What the watches have shown, made current with what this process itself wrote since."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from model_operator.domain.manifests import Manifest, ObjectKey, key_of, resource_version, uid_of
from model_operator.domain.routing.traffic import Ports
from model_operator.domain.seen.pods import Pod


@dataclass(frozen=True)
class Seen:
    """What watches show of one ModelDeployment.

    `router_pods` are those of its namespace, `other_ports` what other models have there, by name.
    """

    body: Manifest
    children: Mapping[ObjectKey, Manifest]
    pods: tuple[Pod, ...]
    router_pods: tuple[Pod, ...] = ()
    other_ports: Mapping[str, Ports] = field(default_factory=dict)


# By the uid of the ModelDeployment; None when there is no such object (any more).
Watched = Callable[[str], Seen | None]


@dataclass
class Written:
    """The writes of this process that the watches do not show yet.

    A pass may begin before the watch has brought back what the pass before it wrote. Without this
    it would write the same again, or take a fresh child for a missing one.
    """

    _objects: dict[str, dict[ObjectKey, Manifest]] = field(default_factory=dict)
    _deleted: dict[str, dict[ObjectKey, str]] = field(default_factory=dict)

    def remember(self, owner: str, manifest: Manifest) -> None:
        self._objects.setdefault(owner, {})[key_of(manifest)] = manifest

    def remember_deleted(self, owner: str, key: ObjectKey, uid: str) -> None:
        self._objects.get(owner, {}).pop(key, None)
        self._deleted.setdefault(owner, {})[key] = uid

    def forget(self, owner: str, key: ObjectKey) -> None:
        """The watch has shown the end of that object."""
        self._objects.get(owner, {}).pop(key, None)
        self._deleted.get(owner, {}).pop(key, None)

    def forget_all(self, owner: str) -> None:
        self._objects.pop(owner, None)
        self._deleted.pop(owner, None)

    def current(
        self, owner: str, watched: Mapping[ObjectKey, Manifest]
    ) -> dict[ObjectKey, Manifest]:
        """The watched objects, each in its newest known state."""
        current = dict(watched)
        for key, uid in list(self._deleted.get(owner, {}).items()):
            if key in current and uid_of(current[key]) == uid:
                del current[key]
        pending = self._objects.get(owner, {})
        for key, manifest in list(pending.items()):
            shown = watched.get(key)
            if shown is not None and resource_version(shown) >= resource_version(manifest):
                del pending[key]
            else:
                current[key] = manifest
        return current
