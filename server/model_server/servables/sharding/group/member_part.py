"""What one member answers to the others of its group, and how it asks all, itself among them."""

import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from model_server.core.errors import Code, ServingError
from model_server.servables.dtypes import BOOL, INT64, STRING
from model_server.servables.saved_model.model import SavedModel
from model_server.servables.sharding.asking.questions import TOKEN, Answer
from model_server.servables.sharding.cut.part import input_alias
from model_server.servables.sharding.tables.table import Table
from model_server.servables.signature import PART_PREFIX, Signature, Tensor, Tensors, TensorSpec

SUMS = "sums"
PROVEN = "proven"

# Asks other members; see Members.ask.
AskOthers = Callable[[str, Mapping[int, Tensors]], list[Answer]]


def hello_signature(identity: str) -> str:
    """What members ask each other to know that they are of one group."""
    return f"{PART_PREFIX}{identity}/hello"


class Share:
    """The tables and variables that a member holds, and what is computed with them.

    `gathers` are outputs, by signature and alias, that are rows of a table; `graph` has the others,
    if there are any.
    """

    def __init__(
        self,
        signatures: Mapping[str, Signature],
        gathers: Mapping[str, Mapping[str, Table]],
        graph: SavedModel | None,
    ) -> None:
        self.signatures = signatures
        self._gathers = gathers
        self._graph = graph

    def run(self, name: str, inputs: Tensors, outputs: Sequence[str]) -> Sequence[Tensor]:
        """The outputs of a signature, in that order. Raises ServingError."""
        gathers = self._gathers[name]
        found = {
            alias: table.gathered(inputs[input_alias(int(alias), 0)])
            for alias, table in gathers.items()
            if alias in outputs
        }
        rest = [alias for alias in outputs if alias not in gathers]
        if rest and self._graph is not None:
            computed = self._graph.run(self._graph.signatures[name], inputs, rest)
            found |= dict(zip(rest, computed, strict=True))
        return [found[alias] for alias in outputs]

    def close(self) -> None:
        """Gives back the memory of what nobody else has."""
        self._gathers = {name: {} for name in self._gathers}
        if self._graph is not None:
            self._graph.close()


class MemberPart:
    """Runs a member's part of a model for whoever shows the group's token, if it has one."""

    def __init__(self, identity: str, share: Share, sums: Tensor, token: bytes) -> None:
        self._hello = hello_signature(identity)
        self._share = share
        self.sums = sums
        self._token = token
        # Whether this member has found that the group has the stored rows. Until then nobody gets
        # any of its own.
        self.is_proven = False
        told = {SUMS: TensorSpec(SUMS, INT64, (-1,)), PROVEN: TensorSpec(PROVEN, BOOL, ())}
        hello = Signature(self._hello, {}, told)
        every = [*share.signatures.values(), hello]
        self.signatures = {each.name: self._guarded(each) for each in every}

    def _guarded(self, signature: Signature) -> Signature:
        if not self._token:
            return signature
        shown = {TOKEN: TensorSpec(TOKEN, STRING, ())}
        return replace(signature, inputs={**signature.inputs, **shown})

    def run(
        self, signature: Signature, inputs: Tensors, outputs: Sequence[str]
    ) -> Sequence[Tensor]:
        """See Servable.run. Raises ServingError, PERMISSION_DENIED for another token."""
        if self._token and not hmac.compare_digest(_shown(inputs), self._token):
            raise ServingError(Code.PERMISSION_DENIED, "this is not the token of the group")
        if not self.is_proven and signature.name != self._hello:
            raise ServingError(Code.UNAVAILABLE, "it has not found its group whole yet")
        return self.run_trusted(signature.name, inputs, outputs)

    def run_trusted(self, name: str, inputs: Tensors, outputs: Sequence[str]) -> Sequence[Tensor]:
        """The same for this member itself. Raises ServingError."""
        if name == self._hello:
            told = {SUMS: self.sums, PROVEN: np.array(self.is_proven)}
            return [told[alias] for alias in outputs]
        return self._share.run(name, inputs, outputs)

    def close(self) -> None:
        """Gives back the memory of the member's share."""
        self._share.close()


def _shown(inputs: Tensors) -> bytes:
    shown = inputs[TOKEN]
    value = shown.reshape(-1)[0] if shown.size == 1 else b""
    return value if isinstance(value, bytes) else b""


@dataclass(frozen=True)
class AllMembers:
    """The members of a group as one of them asks them, see Members."""

    own: int
    count: int
    part: MemberPart
    ask_others: AskOthers

    def ask(self, signature: str, questions: Mapping[int, Tensors]) -> list[Answer]:
        """See Members.ask."""
        others = {member: each for member, each in questions.items() if member != self.own}
        answers = dict(zip(others, self.ask_others(signature, others), strict=True))
        if self.own in questions:
            answers[self.own] = self._own_answer(signature, questions[self.own])
        return [answers[member] for member in questions]

    def _own_answer(self, signature: str, inputs: Tensors) -> Answer:
        outputs = tuple(self.part.signatures[signature].outputs)
        try:
            found = self.part.run_trusted(signature, inputs, outputs)
        except ServingError as error:
            return error
        return dict(zip(outputs, found, strict=True))


def sums_of(plain: Sequence[int]) -> Tensor:
    """Checksums as members send them."""
    return np.array(plain, np.int64)
