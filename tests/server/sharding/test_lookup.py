"""Rows that are asked of members make what the whole table would give."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from model_server.servables.sharding.cut.lookup import lookup
from model_server.servables.sharding.tables.table import Table

ROWS = 12
TABLE = np.arange(ROWS * 3, dtype=np.float32).reshape(ROWS, 3)

bounds = st.lists(st.integers(0, ROWS), max_size=4).map(lambda cuts: (0, *sorted(cuts), ROWS))
shapes = arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=6)
ids = st.sampled_from([np.int32, np.int64]).flatmap(
    lambda kind: shapes.flatmap(
        lambda shape: arrays.arrays(kind, shape, elements=st.integers(0, ROWS - 1))
    )
)


@given(ids, bounds)
def test_members_rows_together_are_those_of_the_table_and_each_is_asked_for_once(ids, bounds):
    found = lookup(ids, bounds)
    parts = [Table(TABLE[start:end], 0) for start, end in pairwise(bounds)]
    questions = {member: found.question(member) for member in found.members}
    answers = {member: parts[member].gathered(asked) for member, asked in questions.items()}
    joined = found.joined(answers, (3,), TABLE.dtype)
    assert np.array_equal(joined, TABLE[ids])
    assert joined.shape == (*ids.shape, 3)
    assert all(asked.dtype == ids.dtype for asked in questions.values())
    assert sum(len(asked) for asked in questions.values()) == len(np.unique(ids))
