"""How often a status that only counts pods or requests is written."""

from dataclasses import replace
from datetime import datetime, timedelta

from model_operator.plan.plan import Plan

# Of pods that get ready one after the other not each is worth a write.
_BETWEEN_COUNTS = timedelta(seconds=5)
# Requests come all the time while a candidate is judged.
_BETWEEN_REQUESTS = timedelta(seconds=10)


class Pace:
    """Remembers when statuses were written. Forgetting costs a write and no more."""

    def __init__(self) -> None:
        self._written_at: dict[str, datetime] = {}

    def in_good_time(self, name: str, plan: Plan, now: datetime) -> Plan:
        """The plan without its status, if that only counts and was written just before."""
        if plan.status is None:
            return plan
        between = _least_between(plan)
        due = self._written_at.get(name, now - between) + between
        if now < due:
            return replace(plan, status=None, again_at=min(due, plan.again_at or due))
        self._written_at[name] = now
        return plan

    def forget(self, name: str) -> None:
        self._written_at.pop(name, None)


def _least_between(plan: Plan) -> timedelta:
    """How long after the last status this one may be written."""
    if plan.is_only_counts:
        return _BETWEEN_COUNTS
    return _BETWEEN_REQUESTS if plan.is_only_requests else timedelta()
