"""How decisions about gates are carried out."""

import asyncio
from dataclasses import dataclass, field

import pytest

from model_operator.cluster.gates import Gates
from model_operator.domain.errors import ApiError
from model_operator.domain.placement.capacity import Inventory
from model_operator.domain.seen.gangs import Release
from model_operator.domain.seen.pods import Pod
from simulated_world import NOON

ALL_FREE = Inventory((), ())


def pods(*names):
    return tuple(Pod(name, "r", "", False, False, None, uid=name) for name in names)


def release(*names):
    return Release(pods(*names), NOON)


@dataclass
class Nodes:
    """What a look at nodes gives; by whether it is one of now."""

    now: Inventory | None = ALL_FREE
    before: Inventory | None = ALL_FREE
    is_forbidden: bool = False
    looks: list[bool] = field(default_factory=list)

    async def latest(self, of_now=False):
        self.looks.append(of_now)
        return self.now if of_now else self.before

    def outdate(self):
        pass


@dataclass
class Opened:
    """An API server that remembers whose gates it was asked to take away, and refuses some."""

    refused: set[str] = field(default_factory=set)
    names: list[str] = field(default_factory=list)

    async def open_gate(self, namespace, pod, release):
        await asyncio.sleep(0)
        if pod.name in self.refused:
            raise ApiError("PATCH", 500, "not now")
        self.names.append(pod.name)


async def test_nobody_looks_anew_for_a_group_that_has_no_room():
    nodes = Nodes()

    await Gates(Opened(), nodes).open("shop", lambda inventory: ())

    assert nodes.looks == [False]


async def test_what_is_free_now_decides():
    nodes, opened = Nodes(now=None, before=ALL_FREE, is_forbidden=True), Opened()

    await Gates(opened, nodes).open("shop", lambda inventory: [release("a")] if inventory else ())

    assert (nodes.looks, opened.names) == ([False, True], [])


@pytest.mark.parametrize("is_forbidden", [True, False])
async def test_who_may_not_look_lets_all_in_and_who_could_not_look_waits(is_forbidden):
    opened = Opened()
    nodes = Nodes(None, None, is_forbidden)

    await Gates(opened, nodes).open("shop", lambda inventory: [release("a", "b")])

    assert opened.names == (["a", "b"] if is_forbidden else [])


async def test_one_refusal_keeps_no_other_member_out_and_is_tried_again():
    opened = Opened(refused={"a"})
    gates = Gates(opened, Nodes())
    with pytest.raises(ApiError):
        await gates.open("shop", lambda inventory: [release("a", "b")])
    opened.refused.clear()

    # The watch may not have shown yet that one gate is gone.
    await gates.open("shop", lambda inventory: [release("a", "b")])

    assert opened.names == ["b", "a"]


async def test_of_two_that_decide_at_once_the_second_sees_what_the_first_took():
    opened = Opened()
    gates = Gates(opened, Nodes())

    def decide(*names):
        return lambda inventory: () if opened.names else [release(*names)]

    await asyncio.gather(
        gates.open("shop", decide("a-0", "a-1")), gates.open("lab", decide("b-0", "b-1"))
    )

    assert opened.names == ["a-0", "a-1"]
