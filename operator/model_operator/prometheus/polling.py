"""Asks again and again while an analysis goes on, so that no pass waits for a slow Prometheus."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from model_operator.domain.evidence.promql import Answer, Answers, Questions
from model_operator.prometheus.source import Prometheus

# Of all ModelDeployments together: a Prometheus that is slow must not get slower by them.
_AT_A_TIME = 4


@dataclass(frozen=True)
class Pace:
    """How often queries are asked, and how long an answer counts while no other comes.

    Prometheus itself looks at most processes every 15 to 60 seconds.
    """

    pause: timedelta = timedelta(seconds=10)
    kept: timedelta = timedelta(seconds=60)


class Polling:
    """Keeps the latest answers for each ModelDeployment, and wakes it when there are others."""

    def __init__(
        self, prometheus: Prometheus, wake: Callable[[str], None], pace: Pace = Pace()
    ) -> None:
        self._prometheus = prometheus
        self._wake = wake
        self._pace = pace
        self._asked: dict[str, tuple[Questions, asyncio.Task[None]]] = {}
        self._latest: dict[str, Answers] = {}
        self._places = asyncio.Semaphore(_AT_A_TIME)

    def latest(self, key: str, questions: Questions) -> Answers:
        """The answers so far; from now on these questions are asked until others are, or none.

        Args:
            key: `NAMESPACE/NAME` of a ModelDeployment.
        """
        before, task = self._asked.get(key, (None, None))
        if before != questions and task is not None and _are_same(before, questions):
            # The next round comes in its time: at once it would bring the same numbers.
            self._latest.pop(key, None)
        elif before != questions or task is None or task.done():
            self.forget(key)
            task = asyncio.create_task(self._ask_on(key, questions))
        self._asked[key] = (questions, task)
        answers = self._latest.get(key, Answers())
        is_old = answers.at is not None and datetime.now(UTC) - answers.at > self._pace.kept
        return Answers() if is_old else answers

    def forget(self, key: str) -> None:
        """Ask for it no more."""
        self._latest.pop(key, None)
        _, task = self._asked.pop(key, (None, None))
        if task is not None:
            task.cancel()

    async def end(self) -> None:
        """Ask nothing more, and leave nothing under way."""
        tasks = [task for _, task in self._asked.values()]
        for key in list(self._asked):
            self.forget(key)
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask_on(self, key: str, questions: Questions) -> None:
        while True:
            at = datetime.now(UTC)
            asking = (self._ask(questions.namespace, query) for query in questions.queries.values())
            answers = await asyncio.gather(*asking)
            by_name = dict(zip(questions.queries, answers, strict=True))
            self._latest[key] = Answers(at, by_name)
            self._wake(key)
            await asyncio.sleep(self._pace.pause.total_seconds())

    async def _ask(self, namespace: str, query: str) -> Answer:
        async with self._places:
            return await self._prometheus.ask(namespace, query)


def _are_same(before: Questions | None, questions: Questions) -> bool:
    """Whether there is nothing else to ask, though the answers so far are used up."""
    return before is not None and replace(before, bad_verdicts=questions.bad_verdicts) == questions
