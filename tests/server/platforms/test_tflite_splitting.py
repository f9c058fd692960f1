"""Requests of many rows are split among interpreters, and put together as one interpreter would."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_server.core.errors import Code, ServingError
from model_server.servables.platform import Runtime
from model_server.servables.tflite.model import TfLite
from model_server.servables.tflite.splitting import Splitter, most_rows, pieces
from server.formats import tflite_models as models


@pytest.mark.parametrize(
    ("batch_size", "interpreters", "rows"),
    [(1, 2, 250), (1, 3, 167), (1, 500, 1), (1, 1000, 1), (0, 2, 250), (32, 2, 32)],
)
def test_an_interpreter_gets_its_share_of_a_full_batch(batch_size, interpreters, rows):
    assert most_rows(batch_size, interpreters) == rows


@given(st.integers(0, 2000), st.integers(1, 600))
def test_pieces_are_all_rows_in_order_and_none_too_many(rows, most):
    found = pieces(rows, most)

    assert [row for piece in found for row in range(rows)[piece]] == list(range(rows))
    assert all(piece.stop - piece.start <= most for piece in found)
    assert len(found) == max(1, -(-rows // most))


@pytest.fixture
def halving(tmp_path):
    """Half of x, and two, by three interpreters with 125 rows each."""
    models.written(tmp_path, models.half_plus_two())
    runtime = Runtime(tflite_pools=3, tflite_interpreters_per_pool=4)
    platform = TfLite(runtime)
    servable = platform.load("m", 1, str(tmp_path))
    yield servable
    platform.unload(servable)


@pytest.mark.parametrize("shape", [(0, 1), (1, 1), (125, 1), (126, 1), (500, 1), (1201, 1), (700,)])
def test_outputs_are_in_the_order_of_the_rows(halving, shape):
    x = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)

    (y,) = halving.run(halving.signatures["serving_default"], {"x": x}, ["y"])

    np.testing.assert_array_equal(y, 0.5 * x + 2)


@pytest.mark.parametrize(
    "output", [np.zeros(()), np.zeros(1)], ids=["one number", "another number of rows"]
)
def test_outputs_without_a_row_for_each_row_are_refused(output):
    splitter = Splitter(2, 1)

    with pytest.raises(ServingError) as raised:
        splitter.run(np.zeros(4), lambda rows: [output])
    splitter.close()

    assert raised.value.code is Code.FAILED_PRECONDITION
    assert "0th dimension" in raised.value.message


def test_a_model_of_several_inputs_is_never_split(tmp_path):
    models.written(tmp_path, models.packed(models.reshape()))
    platform = TfLite(Runtime(tflite_pools=2, tflite_interpreters_per_pool=500))
    servable = platform.load("m", 1, str(tmp_path))
    inputs = {"list": np.arange(6, dtype=np.float32), "shape": np.array([3, 2], np.int32)}

    (output,) = servable.run(servable.signatures["serving_default"], inputs, ["output"])
    platform.unload(servable)

    assert output.tolist() == [[0, 1], [2, 3], [4, 5]]
