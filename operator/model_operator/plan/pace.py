"""How often a status that only counts pods is written."""

from dataclasses import replace
from datetime import datetime, timedelta

from model_operator.plan.plan import Plan

# Of pods that get ready one after the other not each is worth a write.
_BETWEEN_COUNTS = timedelta(seconds=5)


class Pace:
    """Remembers when statuses were written. Forgetting costs a write and no more."""

    def __init__(self) -> None:
        self._written_at: dict[str, datetime] = {}

    def in_good_time(self, name: str, plan: Plan, now: datetime) -> Plan:
        """The plan without its status, if that only counts pods and was written just before."""
        if plan.status is None:
            return plan
        due = self._written_at.get(name, now - _BETWEEN_COUNTS) + _BETWEEN_COUNTS
        if plan.is_only_counts and now < due:
            return replace(plan, status=None, again_at=min(due, plan.again_at or due))
        self._written_at[name] = now
        return plan

    def forget(self, name: str) -> None:
        self._written_at.pop(name, None)
