"""The rules by which variables are divided among the members of a group."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_server.servables.sharding.plan.shard_plan import (
    Copied,
    Engine,
    Split,
    Variable,
    Whole,
    make_plan,
    ranges_of,
)

MB = 1 << 20


def table(name: str, rows: int, row_bytes: int = MB, **facts: str) -> Variable:
    return Variable(name, f"{name}/key", (rows, row_bytes // 4), rows * row_bytes, 1, **facts)


def dense(name: str, size: int) -> Variable:
    return table(name, 1, size, hindrance=f"MatMul ({name}/MatMul) needs all of it")


variables = st.lists(
    st.tuples(st.integers(1, 500), st.integers(1, 4 * MB), st.booleans()), max_size=12
).map(
    lambda found: [
        table(f"v{number}", rows, width, hindrance="MatMul" if is_dense else "")
        for number, (rows, width, is_dense) in enumerate(found)
    ]
)


def test_a_table_is_split_into_ranges_of_rows():
    plan = make_plan([table("t", 10)], 3)
    (split,) = plan.placed
    assert isinstance(split, Split)
    assert ranges_of(split) == [range(0, 3), range(3, 6), range(6, 10)]


def test_what_is_small_is_copied_to_all():
    plan = make_plan([table("t", 10, 100)], 2)
    assert plan.placed == (Copied(table("t", 10, 100)),)
    assert [plan.bytes_on(member) for member in (0, 1)] == [1000, 1000]


def test_what_cannot_be_split_lies_whole_where_there_is_least_and_says_why():
    plan = make_plan([dense("a", 3 * MB), dense("b", 2 * MB), dense("c", 2 * MB)], 2)
    assert {each.variable.name: each.member for each in plan.placed} == {"a": 0, "b": 1, "c": 1}
    assert all("MatMul" in each.reason for each in plan.placed)


def test_a_table_with_fewer_rows_than_members_lies_whole():
    (whole,) = make_plan([table("t", 3)], 4).placed
    assert isinstance(whole, Whole)
    assert whole.reason == "it has 3 rows for 4 members"


def test_ranges_of_rows_make_up_for_what_lies_whole():
    plan = make_plan([dense("a", 30 * MB), table("t", 90)], 3)
    assert [plan.bytes_on(member) // MB for member in range(3)] == [40, 40, 40]


def test_a_member_with_more_than_its_part_gets_no_rows():
    plan = make_plan([dense("a", 100 * MB), table("t", 40)], 3)
    assert [plan.bytes_on(member) // MB for member in range(3)] == [100, 20, 20]


@pytest.mark.parametrize(
    ("variables", "shards", "said"),
    [
        pytest.param([table("t", 10)], 3, "", id="each has rows"),
        pytest.param([dense("a", 2 * MB), dense("b", 2 * MB)], 2, "", id="each has a matrix"),
        pytest.param([table("t", 9, 10)], 2, "nothing of this model can be divided", id="copies"),
        pytest.param([table("t", 3)], 4, "only 1 of 4 members would hold a part", id="few rows"),
    ],
)
def test_a_group_makes_sense_where_each_member_holds_a_part(variables, shards, said):
    assert make_plan(variables, shards).futility.startswith(said)
    assert bool(make_plan(variables, shards).futility) == bool(said)


@pytest.mark.parametrize(
    ("facts", "engine"),
    [({}, Engine.CUT), ({"inside": "cond/Gather"}, Engine.TF)],
)
def test_what_is_read_inside_a_condition_forces_the_engine_of_tensorflow(facts, engine):
    plan = make_plan([table("t", 10, **facts), table("u", 10)], 2)
    assert plan.engine is engine
    assert ("cond/Gather reads t" in plan.forces) == bool(facts)


def test_a_copy_may_be_read_anywhere():
    assert make_plan([table("t", 10, 4, inside="cond/Gather")], 2).engine is Engine.CUT


@pytest.mark.parametrize("shards", [0, -1, 1025])
def test_a_group_of_no_sense_is_refused(shards):
    with pytest.raises(ValueError, match=f"{shards} shards"):
        make_plan([], shards)


@given(variables, st.integers(1, 40))
def test_every_row_lies_on_one_member_and_all_bytes_are_counted(found, shards):
    plan = make_plan(found, shards)
    assert [each.variable for each in plan.placed] == sorted(found, key=lambda each: each.name)
    for each in plan.placed:
        if isinstance(each, Split):
            rows = [row for part in ranges_of(each) for row in part]
            assert rows == list(range(each.variable.rows))
        if not isinstance(each, Copied):
            held = sum(each.bytes_on(member) for member in range(shards))
            assert held == each.variable.bytes


@given(variables, st.integers(1, 40), st.randoms())
def test_the_plan_is_the_same_in_whatever_order_variables_come(found, shards, random):
    shuffled = random.sample(found, len(found))
    assert make_plan(shuffled, shards) == make_plan(found, shards)
    assert make_plan(shuffled, shards).hash == make_plan(found, shards).hash


@given(variables, st.integers(2, 40))
def test_where_tables_suffice_all_members_hold_as_much_but_for_a_row_of_each(found, shards):
    plan = make_plan(found, shards)
    whole = [0] * shards
    for each in plan.placed:
        if isinstance(each, Whole):
            whole[each.member] += each.variable.bytes
    tables = [each for each in plan.placed if isinstance(each, Split)]
    level = (sum(whole) + sum(each.variable.bytes for each in tables)) / shards
    if max(whole) > level:
        return
    loads = [
        sum(each.bytes_on(member) for each in plan.placed if not isinstance(each, Copied))
        for member in range(shards)
    ]
    row = sum(each.variable.bytes // each.variable.rows for each in tables)
    assert all(math.isclose(load, level, abs_tol=row + shards) for load in loads)


@pytest.mark.parametrize(
    "other",
    [
        make_plan([table("t", 10)], 3),
        make_plan([table("t", 11)], 2),
        make_plan([table("u", 10)], 2),
        make_plan([table("t", 10, inside="cond/Gather")], 2),
        make_plan([table("t", 10, hindrance="MatMul")], 2),
    ],
)
def test_other_plans_have_other_hashes(other):
    assert other.hash != make_plan([table("t", 10)], 2).hash
