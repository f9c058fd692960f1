"""How a member asks the others: by PredictionService, as clients do."""

from collections.abc import Mapping

from model_server.core.errors import Code, MemberLost, ServingError
from model_server.core.servable import ServableId
from model_server.options.shards import Shards
from model_server.servables.sharding.asking.lines import lines_of
from model_server.servables.sharding.asking.questions import Answer, Asking, answer_of
from model_server.servables.signature import Tensors

# What says of a member that it is not the one that is wanted, which passes.
_OF_ANOTHER_GROUP = frozenset(
    {Code.NOT_FOUND, Code.FAILED_PRECONDITION, Code.PERMISSION_DENIED, Code.UNIMPLEMENTED}
)


class Peers:
    """The members of a group as one of them asks them."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards
        self._lines = lines_of(shards)

    def ask(self, id: ServableId, signature: str, questions: Mapping[int, Tensors]) -> list[Answer]:
        """Asks other members about a version, see Members.ask; each has the timeout."""
        asking, members = Asking(id, self._shards.token), self._shards.members
        messages = [
            (members[member], asking.question(signature, inputs))
            for member, inputs in questions.items()
        ]
        answers = self._lines.ask(messages)
        return [
            self._answer(member, answer) for member, answer in zip(questions, answers, strict=True)
        ]

    def _answer(self, member: int, answer: bytes | ServingError) -> Answer:
        found = answer if isinstance(answer, ServingError) else answer_of(answer)
        if not isinstance(found, ServingError):
            return found
        said = f"member {member} at {self._shards.members[member]}: {found.message}"
        is_lost = found.code is Code.UNAVAILABLE or found.code in _OF_ANOTHER_GROUP
        return MemberLost(said) if is_lost else ServingError(found.code, said)
