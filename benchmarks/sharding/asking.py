"""A group and the single server, asked the same in turns, and their answers compared."""

import time
from dataclasses import dataclass

import grpc
import numpy as np

from benchmarks.sharding.groups import Group
from benchmarks.sharding.questions import METHOD, Questions, answer_of

_TURNS = 10


@dataclass(frozen=True)
class Asked:
    """Seconds of the median and the 99th percentile, and processor seconds of all members."""

    p50: float
    p99: float
    cpu: float


@dataclass(frozen=True)
class Compared:
    """The single server, the group, and how many of the group's answers were others."""

    single: Asked
    group: Asked
    wrong: int


def compare(single: Group, group: Group, questions: Questions) -> Compared:
    """Ask both one request after the other, in turns, so that a busy machine is so for both."""
    sides = [_Side(single), _Side(group)]
    requests = questions.requests
    # Connections are made, and graphs are warm.
    for side in sides:
        side.ask(requests[:_TURNS])
        side.forget()
    turn = max(len(requests) // _TURNS, 1)
    wrong = 0
    for start in range(0, len(requests), turn):
        part = requests[start : start + turn]
        expected, found = (side.ask(part) for side in sides)
        wrong += sum(one != other for one, other in zip(expected, found, strict=True))
    return Compared(sides[0].asked(), sides[1].asked(), wrong)


class _Side:
    def __init__(self, group: Group) -> None:
        self._group = group
        channel = grpc.insecure_channel(f"127.0.0.1:{group.members[0].grpc_port}")
        self._predict = channel.unary_unary(METHOD)
        self.forget()

    def forget(self) -> None:
        self._seconds: list[float] = []
        self._cpu = 0.0

    def ask(self, requests: tuple[bytes, ...]) -> list[dict[str, bytes]]:
        before = self._group.cpu_seconds()
        answers = [self._answer(request) for request in requests]
        self._cpu += self._group.cpu_seconds() - before
        return [answer_of(answer) for answer in answers]

    def _answer(self, request: bytes) -> bytes:
        began = time.perf_counter()
        answer: bytes = self._predict(request, timeout=60)
        self._seconds.append(time.perf_counter() - began)
        return answer

    def asked(self) -> Asked:
        p50, p99 = np.percentile(self._seconds, [50, 99])
        return Asked(float(p50), float(p99), self._cpu / len(self._seconds))
