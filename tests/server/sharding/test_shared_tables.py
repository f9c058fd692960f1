"""Rows that several models have are in memory once, for as long as any of them has them."""

import gc
import shutil

import numpy as np
import pytest

from model_server.core.errors import Code, ServingError
from model_server.servables.platform import Runtime
from model_server.servables.sharding.tables.held_tables import HELD, HeldTables
from model_server.servables.sharding.tables.table import Content, Table
from model_server.servables.tensorflow_platform import TensorFlow
from server.sharding import models
from server.sharding.groups import grouped
from server.sharding.whole_models import whole_answers

ROWS = np.arange(12, dtype=np.float32).reshape(4, 3)
CONTENT = Content(1, (4, 3), 7, 0, 4)
TABLES_OF_RECOMMENDER = 4 * (40_000 * 64 + 30_001 * 16)
IDS = np.array([3, 19_999, 12_345, 3])


def held_bytes():
    gc.collect()
    return HELD.bytes


def test_a_table_is_read_once_and_forgotten_with_the_last_who_has_it():
    held = HeldTables()
    first = held.table(CONTENT, lambda: Table(ROWS, 0), lambda _table: False)
    second = held.table(CONTENT, lambda: pytest.fail("read again"), lambda table: True)
    assert second is first
    del first
    assert held.bytes == ROWS.nbytes
    del second
    gc.collect()
    assert held.bytes == 0


def test_a_table_with_the_same_checksum_and_other_rows_is_another():
    held = HeldTables()
    first = held.table(CONTENT, lambda: Table(ROWS, 0), lambda _table: False)
    other = held.table(CONTENT, lambda: Table(ROWS + 1, 0), lambda table: table.rows is None)
    assert np.array_equal(first.rows, ROWS)
    assert np.array_equal(other.rows, ROWS + 1)


@pytest.mark.parametrize("wrong", [[-1], [0, 4], [[1, 2], [3, 9]]])
def test_ids_without_a_row_are_refused_wherever_they_come_from(wrong):
    with pytest.raises(ServingError, match=r"indices\[[\d,]+\] = .* is not in \[0, 4\)") as caught:
        Table(ROWS, 0).gathered(np.array(wrong))
    assert caught.value.code is Code.INVALID_ARGUMENT


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Two models with the same two tables, and one of which only one table is the same."""
    root = tmp_path_factory.mktemp("models")
    made = [models.recommender(root / "one"), models.recommender(root / "two")]
    return [*made, models.recommender(root / "other", users=40_002)]


def test_two_models_of_a_group_hold_the_same_tables_once(folders):
    before = held_bytes()
    with grouped(folders[0], 2) as first:
        assert held_bytes() - before == TABLES_OF_RECOMMENDER
        with grouped(folders[1], 2) as second:
            assert held_bytes() - before == TABLES_OF_RECOMMENDER
            check(second, folders[1])
        del second
        check(first, folders[0])
        with grouped(folders[2], 2):
            # The items are the same; the users are not.
            assert held_bytes() - before == TABLES_OF_RECOMMENDER + 4 * 40_002 * 64
    del first
    assert held_bytes() == before


def check(group, folder):
    (wanted,) = whole_answers(folder, [IDS])
    for found in group.answers({"ids": IDS}):
        assert np.array_equal(found["scores"], wanted["scores"])


@pytest.fixture
def sharing():
    """Loads models as a server with --share_tables does."""
    platform = TensorFlow(Runtime(share_tables=True))
    return lambda folder: platform.load("m", 1, str(folder))


def test_whole_models_on_one_server_hold_equal_tables_once_and_answer_as_they_would(
    folders, sharing
):
    before = held_bytes()
    first, second = sharing(folders[0]), sharing(folders[1])
    assert held_bytes() - before == TABLES_OF_RECOMMENDER
    first.close()
    answers_as_whole(second, folders[1], "scores")
    assert held_bytes() - before == TABLES_OF_RECOMMENDER
    second.close()
    assert held_bytes() == before


@pytest.mark.parametrize(
    ("make", "output"),
    [
        (models.chain, "near"),
        (models.tensorflow_1, "rows"),
        (models.words, "rows"),
        # These have no table that lies apart.
        (models.conditional, "rows"),
        (models.dense, "y"),
    ],
)
def test_what_is_no_table_is_loaded_as_ever(tmp_path, sharing, make, output):
    folder = make(tmp_path / "1")
    answers_as_whole(sharing(folder), folder, output)


def test_a_spoilt_table_is_not_served(folders, tmp_path, sharing):
    folder = shutil.copytree(folders[0], tmp_path / "1")
    (data,) = folder.glob("variables/*.data-*")
    with data.open("r+b") as file:
        file.seek(40_000)
        file.write(b"spoilt")
    with pytest.raises(ServingError, match="hecksum") as caught:
        sharing(folder)
    assert caught.value.code is Code.DATA_LOSS


def answers_as_whole(servable, folder, output):
    ids = IDS[:1] % 1000 if output == "y" else IDS
    (wanted,) = whole_answers(folder, [ids])
    signature = servable.signatures["serving_default"]
    (found,) = servable.run(signature, {"ids": ids}, [output])
    assert np.array_equal(found, wanted[output])
