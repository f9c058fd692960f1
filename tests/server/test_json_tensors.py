"""What JSON becomes of tensors and tensors of JSON, whatever the model."""

import base64
import json
import math

import numpy as np
import pytest

from model_server.api.rest import predict_json
from model_server.api.rest.predict_json import Form
from model_server.core.errors import Code, ServingError
from model_server.servables import dtypes
from model_server.servables.signature import Signature, TensorSpec

INF, NAN = math.inf, math.nan
FLOAT, DOUBLE, INT32, STRING = dtypes.FLOAT, dtypes.DOUBLE, dtypes.INT32, dtypes.STRING


def read(body: str, **inputs: dtypes.DType):
    """The form and the tensors of a request to a signature with these inputs."""
    specs = {alias: TensorSpec(alias, dtype) for alias, dtype in inputs.items()}
    return predict_json.parse(body.encode()).tensors(Signature("s", specs, {}))


READ = [
    pytest.param('{"instances": [[1, 2], [3, 4]]}', INT32, [[1, 2], [3, 4]], id="matrix"),
    pytest.param('{"instances": [[1, 2], [3, 4]]}junk', INT32, [[1, 2], [3, 4]], id="junk after"),
    pytest.param('\ufeff {"instances": [1]}', INT32, [1], id="byte order mark"),
    pytest.param('{"instances": [1, 2.5, 0.0]}', FLOAT, [1, 2.5, 0], id="mixed float"),
    pytest.param('{"instances": [1, 2.5, 0.0]}', DOUBLE, [1, 2.5, 0], id="mixed double"),
    pytest.param('{"instances": [16777217]}', FLOAT, [16777216], id="too exact for float"),
    pytest.param('{"instances": [1.7e308, -1.7e308]}', FLOAT, [INF, -INF], id="beyond float"),
    pytest.param('{"instances": [NaN, Inf, -Infinity]}', FLOAT, [NAN, INF, -INF], id="no numbers"),
    pytest.param('{"instances": [{"x": [1]}, {"x": [2]}]}', INT32, [[1], [2]], id="named"),
    pytest.param('{"instances": [[], []]}', INT32, [[], []], id="empty rows"),
    pytest.param('{"inputs": [[1, 2]]}', INT32, [[1, 2]], id="columns"),
    pytest.param('{"inputs": {"x": [[1, 2]]}}', INT32, [[1, 2]], id="named columns"),
    pytest.param('{"inputs": 5}', INT32, 5, id="scalar"),
    pytest.param('{"inputs": [1], "inputs": [2]}', INT32, [1], id="the first of equal keys"),
    pytest.param('{"instances": ["é", "\\u00e9"]}', STRING, ["é", "é"], id="text"),
]


@pytest.mark.parametrize(("body", "dtype", "values"), READ)
def test_a_value_becomes_a_tensor(body, dtype, values):
    _, tensors = read(body, x=dtype)

    expected = np.array(values, dtype.numpy if dtype is not STRING else None)
    found = tensors["x"] if dtype is not STRING else np.vectorize(bytes.decode)(tensors["x"])
    np.testing.assert_array_equal(found, expected)
    assert tensors["x"].shape == np.shape(values)


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        ('"instances": [{"b64": "aGk="}, {"b64": "aGk="}]', (2,)),
        ('"instances": [[{"b64": "aGk="}], ["hi"]]', (2, 1)),
        ('"instances": [{"x": [[{"b64": "aGk="}], [{"b64": "aGk"}]]}]', (1, 2, 1)),
        ('"inputs": {"b64": "aGk="}', ()),
        ('"inputs": {"x": [{"b64": "aGk="}]}', (1,)),
    ],
)
def test_bytes_may_stand_wherever_a_string_may(value, shape):
    _, tensors = read(f"{{{value}}}", x=STRING)

    assert tensors["x"].shape == shape
    assert set(tensors["x"].ravel()) == {b"hi"}


def test_several_inputs_are_read_by_name_and_type():
    form, tensors = read(
        '{"instances": [{"a": [[1, 2]], "b": ["x"], "c": NaN},'
        ' {"b": ["y"], "c": 2, "a": [[3, 4]]}]}',
        a=INT32,
        b=STRING,
        c=DOUBLE,
    )

    assert form is Form.ROW
    assert tensors["a"].tolist() == [[[1, 2]], [[3, 4]]]
    assert tensors["b"].tolist() == [[b"x"], [b"y"]]
    np.testing.assert_array_equal(tensors["c"], [NAN, 2.0])


WRONG = [
    ('{"instances": [[1, 2], [3]]}', "Expecting tensor size: 2 but got: 1"),
    ('{"instances": [[1, 2], [[3, 4]]]}', "Expecting shape [2] but got: [1,2]"),
    ('{"instances": [1, [1]]}', "Expecting shape [] but got: [1]"),
    ('{"instances": [[], [1]]}', "Expecting tensor size: 0 but got: 1"),
    ('{"instances": [[1, 2], ["a", "b"]]}', '"a" Type: String is not of expected type: int32'),
    ('{"instances": [null]}', "null Type: Null is not of expected type: int32"),
    ('{"instances": [2147483648]}', "2147483648 Type: Number is not of expected type: int32"),
    ('{"instances": [1.0]}', "1.0 Type: Number is not of expected type: int32"),
    ('{"instances": [{"b64": "aGk="}]}', "} Type: Object is not of expected type: int32"),
    ('{"inputs": [1, [2]]}', "Encountered list at unexpected level: 1 expected < 1"),
    (
        '{"inputs": [[1], [2, 3]]}',
        "Encountered list at unexpected size: 2 at level: 1 expected size: 1",
    ),
    (
        '{"inputs": [[1], 2]}',
        "JSON Value: 2 found at incorrect level: 2 in the JSON DOM. Expected at level: 2",
    ),
    ('{"inputs": {"y": 1}}', "Missing named input: x in 'inputs' object."),
    ("instances = [1, 2]", "JSON Parse error: Invalid value. at offset: 0"),
]


@pytest.mark.parametrize(("body", "message"), WRONG, ids=[body for body, _ in WRONG])
def test_what_is_no_tensor_is_refused(body, message):
    with pytest.raises(ServingError) as raised:
        read(body, x=INT32)

    assert raised.value.code is Code.INVALID_ARGUMENT
    assert raised.value.message.endswith(message)


def written(form: Form, **outputs) -> str:
    return predict_json.response(
        {alias: np.array(value, dtype) for alias, (value, dtype) in outputs.items()}, form
    )


def test_float_has_as_few_digits_as_it_takes_and_always_looks_like_one():
    values = [9000000, 999999, 0.5, 0.0003, 0.00003, 555557.5, 3, NAN, INF, -INF, 0.1 + 0.2]

    text = written(Form.ROW, y=(values, np.float32))

    assert text == (
        '{\n    "predictions": [9e+06, 999999.0, 0.5, 0.0003, 3e-05, 555557.5, 3.0, NaN,'
        " Infinity, -Infinity, 0.3\n    ]\n}"
    )


def test_outputs_named_bytes_are_base64_if_they_are_strings():
    text = written(Form.ROW, y_bytes=([[b"a\xff"]], object), n_bytes=([7], np.int32))

    (row,) = json.loads(text)["predictions"]
    assert base64.b64decode(row["y_bytes"][0]["b64"]) == b"a\xff"
    assert row["n_bytes"] == 7


@pytest.mark.parametrize("shape", [(2, 3, 1), (2,), (2, 0), (2, 1, 1, 1)])
def test_rows_and_columns_hold_the_same(shape):
    array = np.arange(math.prod(shape)).reshape(shape)

    rows = json.loads(written(Form.ROW, y=(array, np.int64)))["predictions"]
    columns = json.loads(written(Form.COLUMNAR, y=(array, np.int64)))["outputs"]

    assert rows == columns == array.tolist()


def test_no_rows_are_an_empty_list_even_of_several_outputs():
    empty = np.zeros((0, 3))

    assert json.loads(written(Form.ROW, a=(empty, np.int32))) == {"predictions": []}
    assert json.loads(written(Form.ROW, a=(empty, np.int32), b=(empty, object))) == {
        "predictions": []
    }


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ({}, "Cannot convert empty tensor map to JSON"),
        ({"y": ([1j], np.complex64)}, "Failed to write JSON value for tensor type: complex64"),
        ({"y": (1, np.int32)}, "Tensor name: y has no shape information "),
        (
            {"a": ([[1]], np.int32), "b": ([[], []], object)},
            "Tensor name: b has inconsistent batch size: 2 expecting: 1",
        ),
        (
            {"a": ([], np.int32), "b": ([1], np.int32)},
            "Tensor name: b has inconsistent batch size: 1 expecting: 0",
        ),
    ],
)
def test_outputs_that_are_no_rows_are_refused(outputs, message):
    with pytest.raises(ServingError) as raised:
        written(Form.ROW, **outputs)

    assert (raised.value.code, raised.value.message) == (Code.INVALID_ARGUMENT, message)
