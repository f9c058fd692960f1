"""One member of a group that serves a SavedModel together: a part for the others, and an entry."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from model_server.core.errors import Code, ServingError
from model_server.servables.saved_model.model import signature_of
from model_server.servables.sharding.group.agreement import Agreement
from model_server.servables.sharding.group.entry import Entry
from model_server.servables.sharding.group.member_part import MemberPart
from model_server.servables.signature import Signature, Tensor, Tensors


class WithParts(Mapping[str, Signature]):
    """The signatures that clients know, and beside them those that members ask for.

    The latter are found by name, and listed nowhere.
    """

    def __init__(self, known: Mapping[str, Signature], parts: Mapping[str, Signature]) -> None:
        self._known = known
        self._parts = parts

    def __getitem__(self, name: str) -> Signature:
        found = self._known.get(name)
        return self._parts[name] if found is None else found

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


class Answers(Protocol):
    """Answers requests for the whole model."""

    def run(
        self, signature: Signature, inputs: Tensors, outputs: Sequence[str]
    ) -> Sequence[Tensor]:
        """See Servable.run."""

    def close(self) -> None:
        """Gives back the memory."""


class ShardedModel:
    """Answers for the whole model, and for its part of it to the other members."""

    def __init__(
        self, definitions: Any, part: MemberPart, entry: Answers, group: Agreement
    ) -> None:
        self.signature_defs = dict(definitions)
        known = {name: signature_of(name, each) for name, each in definitions.items()}
        self.signatures = WithParts(known, part.signatures)
        self.entry = entry
        self._part = part
        self._group = group
        group.start()

    @property
    def hindrance(self) -> str | None:
        """See GroupServable."""
        return self._group.hindrance

    def before_first(self, prepare: Callable[[], object]) -> None:
        """See GroupServable."""
        self._group.before_first(prepare)

    def run(
        self, signature: Signature, inputs: Tensors, outputs: Sequence[str]
    ) -> Sequence[Tensor]:
        """See Servable.run. Raises ServingError, a member's own where one cannot answer."""
        if signature.name in self._part.signatures:
            return self._part.run(signature, inputs, outputs)
        if not self._part.is_proven:
            raise ServingError(Code.UNAVAILABLE, f"the group is not whole: {self.hindrance}")
        return self.entry.run(signature, inputs, outputs)

    def close(self) -> None:
        """Gives back the memory; the servable cannot run any more."""
        self._group.close()
        self._part.close()
        self.entry.close()


class LoneModel:
    """A whole model on one server; only its tables lie beside TensorFlow, to be shared."""

    def __init__(self, definitions: Any, part: MemberPart, entry: Entry) -> None:
        self.signature_defs = dict(definitions)
        self.signatures = {name: signature_of(name, each) for name, each in definitions.items()}
        self._part = part
        self._entry = entry

    def run(
        self, signature: Signature, inputs: Tensors, outputs: Sequence[str]
    ) -> Sequence[Tensor]:
        """See Servable.run. Raises ServingError."""
        return self._entry.run(signature, inputs, outputs)

    def close(self) -> None:
        """Gives back the memory of what no other model has."""
        self._part.close()
        self._entry.graph.close()
