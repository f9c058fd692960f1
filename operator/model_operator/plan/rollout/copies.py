"""How many replicas the stable revision and the candidate have while weights rise by steps."""

from dataclasses import dataclass, field

from model_operator.domain.wish.rollout import Strategy
from model_operator.plan.rollout.change import Pods, Room


@dataclass(frozen=True)
class Copies:
    """What replicas are counted from.

    `replicas` are those of the model. `given` are those that the stable revision has given up so
    far, because the candidate found no free accelerators.
    """

    strategy: Strategy
    replicas: int
    stable: Pods
    candidate: Pods
    room: Room = field(default_factory=Room)
    given: int = 0

    def wanted(self, weight: int) -> int:
        """The replicas that the candidate has for a weight before it is promoted."""
        most = pods_for(weight, self.replicas)
        if self.strategy is not Strategy.DRAIN_FIRST and not self.given:
            return most
        # One replica of the stable revision stays until then, and there is no room beside it.
        return max(1, min(most, self.replicas - 1))

    def carries(self, weight: int) -> bool:
        """Whether the candidate's ready pods can carry that weight."""
        return self.candidate.ready >= self.wanted(weight)

    def given_next(self, weight: int) -> int:
        """One more where the candidate finds no room, and what was given up before is in use.

        The last replica of the stable revision is never given up.
        """
        if self.strategy is not Strategy.AUTO:
            return 0
        stays = self.replicas - self.given
        is_taken = self.candidate.ready >= self.candidate.placed
        # Pods that are to go may still be there: then room is on its way.
        is_settled = max(self.stable.asked, self.stable.placed) <= stays
        lacks = self.room.is_short and not self.room.is_clearing
        lacks = lacks and self.candidate.placed < self.wanted(weight)
        gives = lacks and is_taken and is_settled and stays > 1
        return self.given + 1 if gives else self.given

    def shared(self, weight: int) -> tuple[int, int]:
        """The replicas of the stable revision and of the candidate.

        The stable one keeps all of its pods, but what it has given up, or with DrainFirst one for
        each of the candidate's.
        """
        wanted = self.wanted(weight)
        if self.strategy is not Strategy.DRAIN_FIRST or self.replicas == 1:
            return max(1, self.replicas - self.given), wanted
        asked = min(self.candidate.asked, wanted)
        if self.candidate.ready >= asked:
            asked = min(wanted, asked + 1)
        return self.replicas - asked, asked


def pods_for(weight: int, replicas: int) -> int:
    """The replicas that carry this percentage of the requests that `replicas` carry; at least 1."""
    return max(1, -(-replicas * weight // 100))
