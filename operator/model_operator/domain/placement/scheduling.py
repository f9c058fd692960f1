"""On which nodes, and as whom, the pods run: the user's wishes in the words of a pod's spec."""

from collections.abc import Mapping
from dataclasses import dataclass

from model_operator.domain.errors import InvalidSpec
from model_operator.domain.manifests import Manifest, as_stored

_PATH = "spec.scheduling"
_KINDS: Mapping[str, type] = {
    "nodeSelector": dict,
    "tolerations": list,
    "affinity": dict,
    "topologySpreadConstraints": list,
    "priorityClassName": str,
    "schedulerName": str,
    "runtimeClassName": str,
    "serviceAccountName": str,
    "imagePullSecrets": list,
}


@dataclass(frozen=True)
class Scheduling:
    """The fields that were given, each as a pod's spec has it; empty ones are left out."""

    fields: Manifest

    def get(self, name: str) -> Manifest:
        """A field that is a mapping; empty when it was not given."""
        return dict(self.fields.get(name) or {})

    def items(self, name: str) -> list[Manifest]:
        """A field that is a list; empty when it was not given."""
        return list(self.fields.get(name) or ())

    def words(self) -> Manifest:
        """The fields that go into the pod's spec as they are."""
        return {name: value for name, value in self.fields.items() if isinstance(value, str)}


def parse_scheduling(given: Manifest) -> Scheduling:
    """The scheduling part of a spec; what is in each field the API server knows.

    Raises:
        InvalidSpec: a field is not known or of another kind.
    """
    for name, value in given.items():
        if not isinstance(value, _KINDS.get(name, ())):
            raise InvalidSpec(f"{_PATH}.{name}", "is not known, or not of the kind that pods have")
    fields = {name: as_stored(value, name) for name, value in given.items()}
    return Scheduling({name: value for name, value in fields.items() if value})
