"""Which revision gets the traffic, of those that there are."""

import pytest

from model_operator.domain.seen.workloads import Workload
from model_operator.domain.wish.revision import Revision
from model_operator.plan.rollout.choice import Candidates, Choice, choose, stand_in


def revision(name, number):
    return Revision(name, number, {"model": {"version": number}}, {})


# By number the newest is "a-former", as after a rollback, so that names and ages differ in order.
REVISIONS = (revision("b-oldest", 1), revision("z-older", 2), revision("a-former", 3))
WANTED = revision("wanted", 4)


@pytest.mark.parametrize(
    ("ready", "previous", "stable"),
    [
        pytest.param({"wanted": 2, "z-older": 2}, "z-older", "wanted", id="the wanted one"),
        pytest.param({"wanted": 1, "z-older": 2}, "z-older", "z-older", id="not before it is all"),
        pytest.param({"wanted": 1, "z-older": 0}, "z-older", "wanted", id="but rather than none"),
        pytest.param({"b-oldest": 2, "a-former": 1}, "z-older", "a-former", id="the newest alive"),
        pytest.param({"b-oldest": 1, "zz-lost": 1}, None, "b-oldest", id="lost history is last"),
        pytest.param({"wanted": 0, "z-older": 0}, "z-older", "z-older", id="none: as before"),
        pytest.param({"wanted": 0}, "a-former", "a-former", id="none: one that is remembered"),
        pytest.param({"wanted": 0}, "gone", None, id="none: not one that is gone"),
        pytest.param({}, None, None, id="nothing yet"),
    ],
)
def test_of_the_revisions_that_there_are_the_best_is_chosen(ready, previous, stable):
    workloads = {name: Workload(name, 2, count, True, None) for name, count in ready.items()}

    chosen = choose(WANTED, Candidates((*REVISIONS, WANTED), workloads, previous, enough=2))

    assert chosen.stable == stable
    assert chosen.serving == (stable or "wanted")


@pytest.mark.parametrize(
    ("ready", "other"),
    [
        pytest.param({"wanted": 0, "z-older": 0}, None, id="nobody is ready"),
        pytest.param({"z-older": 1, "a-former": 2}, None, id="the stable one is"),
        pytest.param({"wanted": 1, "z-older": 0, "a-former": 2}, None, id="the wanted one is"),
        pytest.param({"z-older": 0, "b-oldest": 1, "a-former": 1}, "a-former", id="the newest"),
        pytest.param({"warm": 1, "a-former": 1}, "warm", id="rather one that has served"),
        pytest.param({"warm": 0, "b-oldest": 1}, "b-oldest", id="but no dead one"),
    ],
)
def test_another_stands_in_where_neither_the_stable_nor_the_wanted_one_is_ready(ready, other):
    workloads = {name: Workload(name, 2, count, True, None) for name, count in ready.items()}
    revisions = (revision("warm", 0), *REVISIONS, WANTED)
    candidates = Candidates(revisions, workloads, "z-older", enough=2)

    assert stand_in(Choice(WANTED, "z-older"), candidates, warm={"warm"}) == other
