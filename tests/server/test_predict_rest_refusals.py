"""POST /v1/models/...:predict: what is refused, and the exact error."""

import pytest

DEFAULT = "/v1/models/default:predict"


def error(message: str) -> str:
    return f'{{\n    "error": "{message}"\n}}'


REFUSED = [
    pytest.param(DEFAULT, "", 400, "JSON Parse error: The document is empty", id="no body"),
    pytest.param(
        DEFAULT,
        '{"instances": [1,]}',
        400,
        "JSON Parse error: Invalid value. at offset: 17",
        id="no JSON",
    ),
    pytest.param(DEFAULT, "[1]", 400, "JSON Value: [\\n    1\\n] Is not object", id="no object"),
    pytest.param(
        DEFAULT,
        '{"signature_name": 5}',
        400,
        'JSON Value: {\\n    \\"signature_name\\": 5\\n} not formatted correctly.'
        " 'signature_name' key must be a string value.",
        id="a signature that is no name",
    ),
    pytest.param(
        DEFAULT,
        '{"signature_name": "X", "instances": [1]}',
        400,
        'Serving signature name: \\"X\\" not found in signature def',
        id="unknown signature",
    ),
    pytest.param(DEFAULT, "{}", 400, "Missing 'inputs' or 'instances' key", id="no values"),
    pytest.param(
        DEFAULT,
        '{"inputs": 1, "instances": [1]}',
        400,
        'JSON Value: {\\n    \\"inputs\\": 1,\\n    \\"instances\\": [\\n        1\\n    ]\\n}'
        " Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist ",
        id="rows and columns",
    ),
    pytest.param(
        DEFAULT,
        '{"instances": []}',
        400,
        "JSON Value: {\\n    \\\"instances\\\": []\\n} No values in 'instances' array",
        id="no rows",
    ),
    pytest.param(
        DEFAULT,
        '{"instances": 1}',
        400,
        "JSON Value: {\\n    \\\"instances\\\": 1\\n} Excepting 'instances' to be an list/array",
        id="rows that are no list",
    ),
    pytest.param(
        DEFAULT,
        '{"instances": [1, "a"]}',
        400,
        "Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT:"
        ' JSON Value: \\"a\\" Type: String is not of expected type: float',
        id="a string among numbers",
    ),
    pytest.param(
        DEFAULT,
        '{"instances": [true]}',
        400,
        "Failed to process element: 0 of 'instances' list. Error: INVALID_ARGUMENT:"
        " JSON Value: true Type: True is not of expected type: float",
        id="a bool among numbers",
    ),
    pytest.param(
        DEFAULT,
        '{"instances": [[1, 2], [3]]}',
        400,
        "Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT:"
        " Expecting tensor size: 2 but got: 1",
        id="rows of different sizes",
    ),
    pytest.param(
        DEFAULT,
        '{"instances": [1, [1]]}',
        400,
        "Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT:"
        " Expecting shape [] but got: [1]",
        id="rows of different shapes",
    ),
    pytest.param(
        DEFAULT,
        '{"instances": [[1, [2]]]}',
        400,
        "Failed to process element: 0 of 'instances' list. Error: INVALID_ARGUMENT:"
        " Encountered list at unexpected level: 1 expected < 1",
        id="a list among numbers",
    ),
    pytest.param(
        DEFAULT,
        '{"instances": [[[1], 2]]}',
        400,
        "Failed to process element: 0 of 'instances' list. Error: INVALID_ARGUMENT:"
        " JSON Value: 2 found at incorrect level: 2 in the JSON DOM. Expected at level: 2",
        id="a number among lists",
    ),
    pytest.param(
        DEFAULT,
        '{"instances": [{"y": 1}]}',
        400,
        "Failed to process element: 0 key: y of 'instances' list. Error: INVALID_ARGUMENT:"
        " JSON object: does not have named input: y",
        id="unknown input",
    ),
    pytest.param(
        DEFAULT,
        '{"instances": [{}]}',
        400,
        "Failed to process element: 0 of 'instances' list. JSON object: {} keys must be equal"
        " to: x",
        id="no input",
    ),
    pytest.param(
        DEFAULT,
        '{"instances": [{"x": 1}, 2]}',
        400,
        "Expecting object but got list at item 1 of input list",
        id="a value among objects",
    ),
    pytest.param(
        DEFAULT,
        '{"instances": [1, {"x": 2}]}',
        400,
        "Expecting value/list but got object at item 1 of input list",
        id="an object among values",
    ),
    pytest.param(
        "/v1/models/pair:predict",
        '{"instances": [1]}',
        400,
        "instances is a plain list, but expecting list of objects as multiple "
        "input tensors required as per tensorinfo_map",
        id="a list for two inputs",
    ),
    pytest.param(
        "/v1/models/pair:predict",
        '{"instances": [{"b64": "aGk="}]}',
        400,
        "instances is a plain list, but expecting list of objects as multiple "
        "input tensors required as per tensorinfo_map",
        id="bytes for two inputs",
    ),
    pytest.param(
        "/v1/models/pair:predict",
        '{"inputs": 1}',
        400,
        "inputs is a plain value/list, but expecting an object as multiple "
        "input tensors required as per tensorinfo_map",
        id="a value for two inputs",
    ),
    pytest.param(
        "/v1/models/pair:predict",
        '{"inputs": {"numbers": [[1, 2]]}}',
        400,
        "Missing named input: words in 'inputs' object.",
        id="one of two inputs",
    ),
    pytest.param(
        "/v1/models/pair:predict",
        '{"instances": [{"numbers": [1, 2]}]}',
        400,
        "Failed to process element: 0 of 'instances' list. JSON object: {\\n"
        '    \\"numbers\\": [\\n        1,\\n        2\\n    ]\\n} keys must be equal to:'
        " numbers,words",
        id="one of two inputs in a row",
    ),
    pytest.param(
        "/v1/models/identities:predict",
        '{"signature_name": "of_int32", "instances": [5.0]}',
        400,
        "Failed to process element: 0 of 'instances' list. Error: INVALID_ARGUMENT:"
        " JSON Value: 5.0 Type: Number is not of expected type: int32",
        id="a decimal for an integer",
    ),
    pytest.param(
        "/v1/models/identities:predict",
        '{"signature_name": "of_complex64", "instances": [1]}',
        400,
        "Failed to process element: 0 of 'instances' list. Error: UNIMPLEMENTED:"
        " Conversion of JSON Value: 1 to type: complex64",
        id="a type without JSON in rows",
    ),
    pytest.param(
        "/v1/models/identities:predict",
        '{"signature_name": "of_complex64", "inputs": 1}',
        501,
        "Conversion of JSON Value: 1 to type: complex64",
        id="a type without JSON in columns",
    ),
    pytest.param(
        "/v1/models/identities:predict",
        '{"signature_name": "of_string", "inputs": {"b64": "###"}}',
        400,
        "Unable to base64 decode",
        id="no base64",
    ),
    pytest.param(
        "/v1/models/identities:predict",
        '{"signature_name": "of_string", "inputs": [{"b65": "aGk="}]}',
        400,
        'JSON Value: {\\n    \\"b65\\": \\"aGk=\\"\\n} not formatted correctly for base64 data',
        id="an object that is no base64",
    ),
    pytest.param(
        "/v1/models/counter:predict",
        '{"signature_name": "get_counter", "inputs": {}}',
        400,
        "Failed to get input map for signature: get_counter",
        id="a signature without inputs",
    ),
    pytest.param(
        "/v1/models/nobody:predict",
        '{"instances": [1]}',
        404,
        "Servable not found for request: Latest(nobody)",
        id="unknown model",
    ),
    pytest.param(
        "/v1/models/default/versions/7:predict",
        '{"instances": [1]}',
        404,
        "Servable not found for request: Specific(default, 7)",
        id="unknown version",
    ),
    pytest.param(
        "/v1/models/default/labels/X:predict",
        '{"instances": [1]}',
        400,
        "Unrecognized servable version label: X",
        id="unknown label",
    ),
    pytest.param(
        "/v1/models/default/versions/9223372036854775808:predict",
        '{"instances": [1]}',
        400,
        "Failed to convert version: 9223372036854775808 to numeric.",
        id="a version beyond int64",
    ),
    pytest.param(
        "/v1/models/default:PREDICT",
        '{"instances": [1]}',
        400,
        "Malformed request: POST /v1/models/default:PREDICT",
        id="a method in capitals",
    ),
    pytest.param(
        "/v1/models/default:predict?x=1",
        '{"instances": [1]}',
        400,
        "Malformed request: POST /v1/models/default:predict?x=1",
        id="a query",
    ),
]


@pytest.mark.parametrize(("path", "body", "status", "message"), REFUSED)
def test_a_request_that_cannot_be_run_says_why(http_client, path, body, status, message):
    answer = http_client.post(path, body)

    assert answer.status == status
    assert answer.text == error(message)
    assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        pytest.param(
            "/v1/models/pair:predict",
            '{"instances": [{"numbers": [1, 2], "words": "a"}], "signature_name": ""}',
            id="an empty signature name is the default",
        ),
        pytest.param(
            DEFAULT,
            '{"signature_name": "serving_default", "instances": [1], "x": '.ljust(80) + "1}",
            id="unknown keys are ignored",
        ),
    ],
)
def test_what_only_looks_wrong_is_answered(http_client, path, body):
    answer = http_client.post(path, body)

    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
