"""Bundles: what gathers outside of Python, and is taken in parts or as it is."""

from dataclasses import dataclass, field

import pytest

from model_server.batching.bundle_queue import BundleQueue
from model_server.batching.rhythm import Ended
from model_server.batching.side_by_side import Running
from model_server.batching.turns import Call, Turns
from model_server.core.errors import Code, ServingError
from model_server.options.batching import Batching
from server.batching.test_rhythm import regular

RULES = Batching(max_size=8, max_execution_size=8, max_enqueued=2)


@dataclass(frozen=True)
class Part:
    """Some of a bundle's requests."""

    rows: list[int]
    age: float
    waiting: int = 0

    def waited(self) -> list[float]:
        return [self.age] * len(self.rows)


@dataclass
class Gathered:
    """A bundle of requests of so many rows each."""

    requests: list[int]
    kind: str = "a"
    is_full: bool = False
    told_at: int | None = None
    age: float = 0.0
    gone: set[int] = field(default_factory=set)

    @property
    def rows(self) -> int:
        return sum(self.requests)

    def has(self, rows: int) -> bool:
        has = self.is_full or self.rows >= rows
        self.told_at = None if has else rows
        return has

    def take(self, most_rows: int) -> tuple[Part, bool]:
        taken: list[int] = []
        while self.requests and (not taken or sum(taken) + self.requests[0] <= most_rows):
            taken.append(self.requests.pop(0))
        left = [rows for rows in taken if rows not in self.gone]
        return Part(left, self.age), not self.requests


def queue(*bundles: Gathered) -> BundleQueue:
    waiting = BundleQueue(RULES, lambda _inputs: [])
    for at, bundle in enumerate(bundles):
        waiting.offer(bundle, float(at))
    return waiting


def taken(waiting: BundleQueue, running: Running) -> list[int] | None:
    batch = waiting.take(9.0, running)
    return None if batch is None else list(batch.taken.rows)


def test_a_bundle_is_one_batch_with_those_that_came_while_it_waited():
    bundle = Gathered([1])
    waiting = queue(bundle)
    bundle.requests.append(3)

    assert taken(waiting, Running({})) == [1, 3]
    assert len(waiting) == 0


def test_beside_a_larger_batch_it_waits_and_is_told_when_it_has_as_many():
    bundle = Gathered([1])
    waiting = queue(bundle)
    beside = Running({"a": [4]})

    assert (waiting.ready_at(beside), taken(waiting, beside)) == (None, None)
    assert bundle.told_at == 4

    bundle.requests.append(3)
    assert (waiting.ready_at(beside), taken(waiting, beside)) == (0.0, [1, 3])


def test_those_who_were_answered_are_waited_for_until_they_or_the_time_came():
    bundle = Gathered([1])
    waiting = queue(bundle)
    rhythm = regular(returns=0.001, beside_rows=0.004)
    rhythm.ended(Ended(9.0, 0.008, requests=3, rows=3))
    known = Running({}, 1, {"a": rhythm})

    assert rhythm.until > 9.0
    assert (waiting.ready_at(known), taken(waiting, known), bundle.told_at) == (
        *(rhythm.until, None),
        3,
    )

    late = waiting.take(rhythm.until, known)
    assert late is not None
    assert late.rows == 1

    waiting = queue(Gathered([1, 2]))
    assert taken(waiting, known) == [1, 2]


def test_a_full_one_waits_for_nothing():
    assert taken(queue(Gathered([1], is_full=True)), Running({"a": [4]})) == [1]


def test_where_each_run_has_a_processor_a_bundle_is_parted():
    waiting = queue(Gathered([1, 1, 1, 2]))

    assert taken(waiting, Running({}, 2)) == [1, 1, 1]
    assert taken(waiting, Running({"a": [3]}, 2)) is None
    assert taken(waiting, Running({}, 2)) == [2]
    assert len(waiting) == 0


def test_one_that_others_always_join_keeps_no_other_kind_waiting():
    endless = Gathered([1, 1, 1])
    waiting = queue(endless, Gathered([5], "b"))

    order = []
    for _ in range(2):
        order.append(taken(waiting, Running({}, 2)))
        endless.requests.append(1)

    assert order == [[1, 1], [5]]


def test_one_whose_clients_are_all_gone_is_no_batch():
    waiting = queue(Gathered([2], gone={2}), Gathered([3], "b"))

    assert taken(waiting, Running({})) == [3]
    assert len(waiting) == 0


def test_beyond_the_bundles_of_a_kind_that_may_wait_others_are_refused():
    waiting = queue(Gathered([8]), Gathered([8]))
    waiting.offer(Gathered([8], "b"), 0.0)

    with pytest.raises(ServingError) as refused:
        waiting.offer(Gathered([1]), 0.0)

    assert refused.value.code is Code.UNAVAILABLE
    assert "2 batches enqueued and max_enqueued_batches is 2" in refused.value.message


def test_on_one_processor_threads_have_equal_parts_until_another_model_is_asked_for():
    turns = Turns(2)
    call = Call("model", RULES, lambda _inputs: [], "model", parallel=2)

    turns.offer_bundle(call, Gathered([1] * 4), 0.0)
    parts = [turns.take(0.0), turns.take(0.0)]
    assert [sum(batch.taken.rows) for batch in parts] == [2, 2]
    for batch in parts:
        turns.end(batch, 0.0)

    turns.offer_bundle(Call("other", RULES, call.run, "other"), Gathered([1]), 0.1)
    turns.offer_bundle(call, Gathered([1] * 4), 0.1)
    whole = {batch.key[0]: sum(batch.taken.rows) for batch in (turns.take(0.2), turns.take(0.2))}
    assert whole == {"model": 4, "other": 1}


def test_those_who_came_again_before_the_end_was_told_are_not_waited_for_twice():
    turns = Turns(2)
    call = Call("model", RULES, lambda _inputs: [])
    now = 0.0
    # Batches of 1 and 4 rows in turn, whose clients come again after a millisecond.
    for rows in (1, 4) * 20:
        bundle = Gathered([1] * rows)
        turns.offer_bundle(call, bundle, now)
        bundle.age = max(turns.ready_at(now) - now, 0.0)
        now += bundle.age
        batch = turns.take(now)
        now += 0.010 + 0.001 * rows
        turns.end(batch, now)
        now += 0.001
    turns.offer_bundle(call, Gathered([1] * 4), now)
    batch = turns.take(now)
    again = Gathered([1])
    turns.offer_bundle(call, again, now + 0.014)
    now += 0.0141
    turns.end(batch, now)

    assert turns.take(now) is None
    again.requests += [1, 1, 1]
    assert turns.take(now).rows == 4


def test_at_the_end_bundles_are_given_back():
    turns = Turns()
    bundle = Gathered([1])
    turns.offer_bundle(Call("model", RULES, lambda _inputs: []), bundle, 0.0)

    assert turns.end_all() == ([], [bundle])
    assert turns.take(1.0) is None
