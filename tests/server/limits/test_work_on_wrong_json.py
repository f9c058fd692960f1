"""What is wrong with a JSON value is found with little work, however long the value is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_server.api.rest.json_tensor import first_wrong, tensor
from model_server.api.rest.json_writer import pretty
from model_server.api.rest.predict_json import parse
from model_server.core.errors import ServingError
from model_server.servables import dtypes
from model_server.servables.signature import Signature, TensorSpec

ONE_FLOAT = Signature("s", {"x": TensorSpec("x:0", dtypes.FLOAT)}, {})
TWO_FLOATS = Signature(
    "s", {"x": TensorSpec("x:0", dtypes.FLOAT), "y": TensorSpec("y:0", dtypes.FLOAT)}, {}
)


@given(st.lists(st.booleans(), min_size=1))
def test_the_first_wrong_item_is_found(items):
    wanted = items.index(False) if False in items else len(items) - 1

    assert first_wrong(items, all) == wanted


@pytest.mark.parametrize("wrong", [0, 1, 499_999, 999_999])
def test_no_item_is_looked_at_more_than_once_after_the_first_half(wrong):
    looked_at = []

    def are_sound(part):
        looked_at.append(len(part))
        return not part[0] <= wrong <= part[-1]

    assert first_wrong(range(1_000_000), are_sound) == wrong
    assert sum(looked_at) <= 1_000_000
    assert len(looked_at) <= 20


@pytest.mark.parametrize(
    ("value", "message"),
    [
        pytest.param(
            [1.0] * 70_000 + ["x"],
            'JSON Value: "x" Type: String is not of expected type: float',
            id="a string after many numbers",
        ),
        pytest.param(
            [[1.0, 2.0]] * 70_000 + [[1.0, None]],
            "JSON Value: null Type: Null is not of expected type: float",
            id="a null in the last of many rows",
        ),
        pytest.param(
            [[1.0, 2.0]] * 70_000 + [[1.0]] + [["x", "y"]],
            "Encountered list at unexpected size: 1 at level: 1 expected size: 2",
            id="a short row before a wrong one",
        ),
        pytest.param(
            [[1.0, 2.0]] * 70_000 + [3.0],
            "JSON Value: 3.0 found at incorrect level: 2 in the JSON DOM. Expected at level: 2",
            id="a number among rows",
        ),
        pytest.param(
            [1.0] * 70_000 + [[1.0]],
            "Encountered list at unexpected level: 1 expected < 1",
            id="a row among numbers",
        ),
    ],
)
def test_the_first_wrong_thing_in_a_long_list_is_named(value, message):
    with pytest.raises(ServingError) as raised:
        tensor(value, dtypes.FLOAT)

    assert raised.value.message == message


def test_the_first_wrong_row_of_many_is_named_by_its_index():
    body = b'{"instances": [' + b"1," * 70_000 + b'"x"]}'

    with pytest.raises(ServingError, match="Failed to process element: 70000 of 'instances' list"):
        parse(body).tensors(ONE_FLOAT)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (b'{"x":1,"y":"a"}', "Failed to process element: 70000 key: y of 'instances' list"),
        (b'{"x":1}', "keys must be equal to: x,y"),
        (b'{"x":1,"y":[1]}', r"Expecting shape \[\] but got: \[1\]"),
        (b'{"x":1,"y":2,"z":3}', "JSON object: does not have named input: z"),
        (b"[1]", "Expecting object but got list at item 70000 of input list"),
    ],
)
def test_the_first_wrong_object_of_many_is_named_by_its_index(row, message):
    body = b'{"instances": [' + b'{"x":1,"y":2},' * 70_000 + row + b"]}"

    with pytest.raises(ServingError, match=message):
        parse(body).tensors(TWO_FLOATS)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param([1] * 1_000_000, id="numbers"),
        pytest.param([[1]] * 500_000, id="lists"),
        pytest.param({str(key): key for key in range(500_000)}, id="members"),
        pytest.param("x" * 10_000_000, id="a long string"),
    ],
)
def test_a_message_quotes_only_the_beginning_of_what_is_long(value):
    assert len(pretty(value)) < 1_000_000
    assert "..." in pretty(value)


def test_a_message_quotes_whole_what_is_not_long():
    assert pretty([1, {"a": [True, None]}]) == (
        '[\n    1,\n    {\n        "a": [\n            true,\n            null\n        ]\n    }\n]'
    )
