"""POST /v1/models/...:predict: what is asked, and the exact answer."""

import gzip

import pytest

DEFAULT = "/v1/models/default:predict"


def error(message: str) -> str:
    return f'{{\n    "error": "{message}"\n}}'


ANSWERED = [
    pytest.param(
        DEFAULT,
        '{"instances": [2.0, 3.0, 4.0]}',
        '{\n    "predictions": [3.0, 3.5, 4.0\n    ]\n}',
        id="rows",
    ),
    pytest.param(
        DEFAULT,
        '{"instances": [[2.0], [3.0]]}',
        '{\n    "predictions": [[3.0], [3.5]\n    ]\n}',
        id="rows of lists",
    ),
    pytest.param(
        DEFAULT,
        '{"instances": [{"x": 2.0}]}',
        '{\n    "predictions": [3.0\n    ]\n}',
        id="named rows",
    ),
    pytest.param(
        DEFAULT,
        '{"inputs": [2.0, 3.0]}',
        '{\n    "outputs": [\n        3.0,\n        3.5\n    ]\n}',
        id="columns",
    ),
    pytest.param(DEFAULT, '{"inputs": {"x": 2}}', '{\n    "outputs": 3.0\n}', id="a scalar"),
    pytest.param(
        DEFAULT,
        '{"signature_name": "regress_x2_to_y3", "inputs": [2]}',
        '{\n    "outputs": [\n        4.0\n    ]\n}',
        id="a signature by name",
    ),
    pytest.param(
        DEFAULT,
        '{"instances": [NaN, Inf, -Infinity, 1e39, 1e-50]} and more',
        '{\n    "predictions": [NaN, Infinity, -Infinity, Infinity, 2.0\n    ]\n}',
        id="numbers that are none",
    ),
    pytest.param(
        "/v1/models/default/versions/123:predict",
        '{"instances": [2]}',
        '{\n    "predictions": [3.0\n    ]\n}',
        id="by version",
    ),
    pytest.param(
        "/v1/models/two/labels/stable:predict",
        '{"instances": [2]}',
        '{\n    "predictions": [3.0\n    ]\n}',
        id="by label",
    ),
    pytest.param(
        "/V1/MODELS/default/Versions/0123:predict",
        '{"instances": [2]}',
        '{\n    "predictions": [3.0\n    ]\n}',
        id="in any case",
    ),
    pytest.param(
        "/v1/models/pair:predict",
        '{"instances": [{"numbers": [1, 2], "words": "a"}, {"numbers": [3, 4], "words": "b"}]}',
        '{\n    "predictions": [\n        {\n            "doubled": [2.0, 4.0],\n'
        '            "shouted": "A"\n        },\n        {\n            "doubled": [6.0, 8.0],\n'
        '            "shouted": "B"\n        }\n    ]\n}',
        id="several inputs and outputs in rows",
    ),
    pytest.param(
        "/v1/models/pair:predict",
        '{"inputs": {"numbers": [[1, 2]], "words": ["a", "b"], "extra": 1}}',
        '{\n    "outputs": {\n        "doubled": [\n            [\n                2.0,\n'
        '                4.0\n            ]\n        ],\n        "shouted": [\n            "A",\n'
        '            "B"\n        ]\n    }\n}',
        id="several inputs and outputs in columns",
    ),
    pytest.param(
        "/v1/models/identities:predict",
        '{"signature_name": "of_bytes", "instances": [{"b64": "aGVsbG8="}, "w"]}',
        '{\n    "predictions": [{\n            "b64": "aGVsbG8="\n        }, {\n'
        '            "b64": "dw=="\n        }\n    ]\n}',
        id="bytes",
    ),
    pytest.param(
        "/v1/models/identities:predict",
        '{"signature_name": "of_string", "instances": ["\\u00e9\\"", {"b64": "aGk"}]}',
        '{\n    "predictions": ["é\\"", "hi"\n    ]\n}',
        id="strings",
    ),
    pytest.param(
        "/v1/models/identities:predict",
        '{"signature_name": "of_int8", "instances": [127, 128, -129]}',
        '{\n    "predictions": [127, -128, 127\n    ]\n}',
        id="small integers wrap around",
    ),
    pytest.param(
        "/v1/models/identities:predict",
        '{"signature_name": "of_uint64", "instances": [18446744073709551615]}',
        '{\n    "predictions": [18446744073709551615\n    ]\n}',
        id="the largest integer",
    ),
    pytest.param(
        "/v1/models/identities:predict",
        '{"signature_name": "of_bool", "instances": [[true, false]]}',
        '{\n    "predictions": [[true, false]\n    ]\n}',
        id="bools",
    ),
    pytest.param(
        "/v1/models/identities:predict",
        '{"signature_name": "of_half", "inputs": 0.1}',
        '{\n    "outputs": 0.0999755859\n}',
        id="half, which TensorFlow Serving cannot do",
    ),
    pytest.param(
        "/v1/models/default:predict",
        '{"inputs": []}',
        '{\n    "outputs": []\n}',
        id="no element",
    ),
]


@pytest.mark.parametrize(("path", "body", "text"), ANSWERED)
def test_a_request_is_answered_to_the_letter(http_client, path, body, text):
    answer = http_client.post(path, body)

    assert (answer.status, answer.text) == (200, text)
    assert answer.headers["Content-Type"] == "application/json"


def test_a_gzipped_body_is_unzipped(http_client):
    body = gzip.compress(b'{"instances": [2.0]}')

    answer = http_client.request("POST", DEFAULT, body, Content_Encoding="gzip")

    assert answer.json == {"predictions": [3.0]}


@pytest.mark.parametrize(
    "body",
    [b"no gzip", gzip.compress(b'{"instances": [2.0]}')[:-9], gzip.compress(b" " * (101 * 2**20))],
    ids=["broken", "cut short", "a bomb"],
)
def test_a_body_that_cannot_be_unzipped_counts_as_empty(http_client, body):
    answer = http_client.request("POST", DEFAULT, body, Content_Encoding="gzip")

    assert answer.text == error("JSON Parse error: The document is empty")


def test_a_row_needs_outputs_with_a_first_dimension(http_client):
    answer = http_client.post(
        "/v1/models/pair:predict", '{"instances": [{"numbers": 1, "words": "a"}]}'
    )

    assert answer.status == 200
    assert answer.json == {"predictions": [{"doubled": 2.0, "shouted": "A"}]}
