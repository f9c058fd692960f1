"""Answers are spelt as RapidJSON's PrettyWriter and TensorFlow Serving's own decimals."""

import json

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_server.api.rest import json_writer


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (9000000, "9e+06"),
        (999999, "999999.0"),
        (0.5, "0.5"),
        (0.0003, "0.0003"),
        (0.00003, "3e-05"),
        (555557.5, "555557.5"),
        (0.2, "0.2"),
        (1 / 3, "0.333333343"),
        (16777216, "16777216.0"),
        (-0.0, "-0.0"),
        (np.nan, "NaN"),
        (np.inf, "Infinity"),
        (-np.inf, "-Infinity"),
    ],
)
def test_a_float_has_six_digits_or_as_many_as_it_needs(number, text):
    assert json_writer.decimals(np.array([number], np.float32)) == [text]


@pytest.mark.parametrize(
    ("number", "text"), [(0.1, "0.1"), (1 / 3, "0.33333333333333331"), (1e300, "1e+300")]
)
def test_a_double_has_six_digits_or_all_seventeen(number, text):
    assert json_writer.decimals(np.array([number], np.float64)) == [text]


def test_half_types_are_spelt_as_floats():
    assert json_writer.decimals(np.array([0.1], np.float16)) == ["0.0999755859"]
    assert json_writer.decimals(np.array([0.1], ml_dtypes.bfloat16)) == ["0.100097656"]


@given(st.lists(st.floats(width=32, allow_nan=False)))
def test_every_float_can_be_read_back(numbers):
    array = np.array(numbers, np.float32)

    back = [float(text.replace("Infinity", "inf")) for text in json_writer.decimals(array)]

    np.testing.assert_array_equal(np.array(back, np.float32), array)


@given(st.text())
def test_a_string_is_valid_json(text):
    assert json.loads(json_writer.string(text)) == text


def test_control_characters_are_escaped_in_upper_case_and_nothing_else_is():
    assert json_writer.string('a/"\\\n\x1fé') == '"a/\\"\\\\\\n\\u001Fé"'


def test_an_error_is_an_object_of_three_lines():
    assert json_writer.error_body('Bad key: "x"') == '{\n    "error": "Bad key: \\"x\\""\n}'


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        ((), "1"),
        ((2,), "[\n        1,\n        2\n    ]"),
        ((0,), "[]"),
        ((2, 0), "[\n        [],\n        []\n    ]"),
        (
            (2, 1),
            "[\n        [\n            1\n        ],\n        [\n            2\n        ]\n    ]",
        ),
    ],
)
def test_columns_have_a_line_for_each_element(shape, text):
    leaves = ["1", "2"][: int(np.prod(shape))]

    assert json_writer.expanded(leaves, shape, 1) == text


@pytest.mark.parametrize(
    ("shape", "texts"),
    [
        ((), ["1", "2", "3", "4"]),
        ((1,), ["[1]", "[2]", "[3]", "[4]"]),
        ((0,), ["[]", "[]", "[]", "[]"]),
        ((2, 0), ["[[], []]", "[[], []]", "[[], []]", "[[], []]"]),
    ],
)
def test_a_row_stands_in_one_line(shape, texts):
    leaves = ["1", "2", "3", "4"][: 4 * int(np.prod(shape))]

    assert json_writer.rows(leaves, 4, shape) == texts
