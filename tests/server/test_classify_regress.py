"""Classify and Regress over both APIs: what is asked, and the exact answer."""

import grpc
import pytest
from google.protobuf import text_format
from tensorflow_serving.apis.classification_pb2 import ClassificationRequest, ClassificationResult
from tensorflow_serving.apis.regression_pb2 import RegressionRequest

INVALID, NOT_FOUND = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION
X80 = (
    'features { feature { key: "x" value { float_list { value: 80 } } }'
    ' feature { key: "locale" value { bytes_list { value: "pt_BR" } } }'
    ' feature { key: "age" value { float_list { value: 19 } } } }'
)
ONE = f"input {{ example_list {{ examples {{ {X80} }} }} }}"
TWO = f"input {{ example_list {{ examples {{ {X80} }} examples {{ }} }} }}"


def spec(model: str, signature: str) -> str:
    return f'model_spec {{ name: "{model}" signature_name: "{signature}" }}'


def classify(client, text: str):
    return client.prediction.Classify(text_format.Parse(text, ClassificationRequest()))


def regress(client, text: str):
    return client.prediction.Regress(text_format.Parse(text, RegressionRequest()))


def test_an_example_is_classified_and_the_answer_names_the_servable(grpc_client):
    answer = classify(grpc_client, f"{spec('default', 'classify_x_to_y')} {ONE}")

    assert answer == text_format.Parse(
        "result { classifications { classes { score: 42 } } }"
        ' model_spec { name: "default" signature_name: "classify_x_to_y" version { value: 123 } }',
        type(answer)(),
    )


@pytest.mark.parametrize(
    ("signature", "text"),
    [
        (
            "both",
            'classifications { classes { label: "none" score: 80 }'
            ' classes { label: "other" score: -80 } }'
            ' classifications { classes { label: "none" } classes { label: "other" score: -0.0 } }',
        ),
        (
            "labels",
            'classifications { classes { label: "none" } classes { label: "other" } }'
            ' classifications { classes { label: "none" } classes { label: "other" } }',
        ),
        (
            "scores",
            "classifications { classes { score: 80 } classes { score: -80 } }"
            " classifications { classes { } classes { score: -0.0 } }",
        ),
    ],
)
def test_labels_and_scores_stand_in_the_tensors_order(grpc_client, signature, text):
    answer = classify(grpc_client, f"{spec('classifier', signature)} {TWO}")

    assert answer.result == text_format.Parse(text, ClassificationResult())


def test_a_context_is_part_of_every_example_unless_the_example_says_otherwise(grpc_client):
    word = 'features {{ feature {{ key: "word" value {{ bytes_list {{ value: "{}" }} }} }} }}'
    context = f"input {{ example_list_with_context {{ context {{ {word.format('all')} }}"
    examples = f"examples {{ {X80} }} examples {{ {word.format('own')} }} }} }}"

    answer = classify(grpc_client, f"{spec('classifier', 'labels')} {context} {examples}")

    labels = [row.classes[0].label for row in answer.result.classifications]
    assert labels == ["all", "own"]


@pytest.mark.parametrize(
    ("signature", "values"),
    [("flat", [80.0, 0.0]), ("column", [80.0, 0.0])],
)
def test_examples_are_regressed(grpc_client, signature, values):
    answer = regress(grpc_client, f"{spec('classifier', signature)} {TWO}")

    assert [regression.value for regression in answer.result.regressions] == values
    assert answer.model_spec.signature_name == signature


COMMON = [
    pytest.param(ONE, INVALID, "Missing ModelSpec", id="no model_spec"),
    pytest.param(
        f"model_spec {{}} {ONE}", INVALID, "ModelSpec has no name specified.", id="no name"
    ),
    pytest.param(
        f"{spec('foo', '')} {ONE}",
        NOT_FOUND,
        "Servable not found for request: Latest(foo)",
        id="unknown model",
    ),
    pytest.param(
        f"{spec('default', 'X')} {ONE}",
        INVALID,
        "No signature was found with the name: X",
        id="unknown signature",
    ),
    pytest.param(
        f"{spec('classifier', 'two_inputs')} {ONE}",
        INVALID,
        "Expected one input Tensor.",
        id="two inputs",
    ),
]


@pytest.mark.parametrize(
    ("text", "code", "details"),
    [
        *COMMON,
        pytest.param(spec("classifier", "both"), INVALID, "Input is empty.", id="no input"),
        pytest.param(
            f"{spec('classifier', 'both')} input {{ example_list {{}} }}",
            INVALID,
            "Input is empty.",
            id="no examples",
        ),
        pytest.param(
            f"{spec('classifier', 'both')}"
            f" input {{ example_list_with_context {{ context {{ {X80} }} }} }}",
            INVALID,
            "Input is empty.",
            id="only a context",
        ),
        pytest.param(
            f"{spec('classifier', 'mismatch')} {ONE}",
            INVALID,
            "Tensors class and score should match in dim_size(1). Got 2 vs. 3",
            id="more scores than labels",
        ),
        pytest.param(
            f"{spec('classifier', 'swapped')} {ONE}",
            INVALID,
            "Expected classes Tensor of DT_STRING. Got: DT_FLOAT",
            id="numbers as labels",
        ),
        pytest.param(
            f"{spec('classifier', 'rank1')} {ONE}",
            INVALID,
            "Expected Tensor shape: [batch_size num_classes] but got [1]",
            id="another rank",
        ),
        pytest.param(
            f"{spec('classifier', 'short')} {TWO}",
            INVALID,
            "Expected scores output batch size of 2. Got: 1",
            id="another batch size",
        ),
        pytest.param(
            f"{spec('default', 'classify_x2_to_y3')} {ONE}",
            INVALID,
            "Expects arg[0] to be float but string is provided",
            id="a signature of tensors",
        ),
    ],
)
def test_a_classification_that_cannot_be_says_why(grpc_client, text, code, details):
    with pytest.raises(grpc.RpcError) as raised:
        classify(grpc_client, text)

    assert (raised.value.code(), raised.value.details()) == (code, details)


@pytest.mark.parametrize(
    ("signature", "start"),
    [
        (
            "neither",
            "Expected classification signature outputs to contain at least one of"
            ' "classes" or "scores". Signature was: ',
        ),
        ("feeds", "No classification inputs found in SignatureDef: "),
    ],
)
def test_a_signature_that_is_no_classification_is_described(grpc_client, signature, start):
    with pytest.raises(grpc.RpcError) as raised:
        classify(grpc_client, f"{spec('classifier', signature)} {ONE}")

    assert raised.value.code() is PRECONDITION
    assert raised.value.details().startswith(start)


@pytest.mark.parametrize(
    ("text", "code", "details"),
    [
        *COMMON,
        pytest.param(spec("classifier", "flat"), INVALID, "Input is empty.", id="no input"),
        pytest.param(
            f"{spec('classifier', 'both')} {ONE}",
            INVALID,
            "Expected one output Tensor.",
            id="two outputs",
        ),
        pytest.param(
            f"{spec('classifier', 'wide')} {ONE}",
            INVALID,
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1]"
            " but got [1,2]",
            id="two numbers an example",
        ),
        pytest.param(
            f"{spec('classifier', 'short_flat')} {TWO}",
            INVALID,
            "Input batch size did not match output batch size: 2 vs. 1",
            id="another batch size",
        ),
        pytest.param(
            f"{spec('classifier', 'text')} {ONE}",
            INVALID,
            "Expected output Tensor of DT_FLOAT.  Got: DT_STRING",
            id="no numbers",
        ),
    ],
)
def test_a_regression_that_cannot_be_says_why(grpc_client, text, code, details):
    with pytest.raises(grpc.RpcError) as raised:
        regress(grpc_client, text)

    assert (raised.value.code(), raised.value.details()) == (code, details)


@pytest.mark.parametrize(
    ("signature", "start"),
    [
        ("no_outputs", "No regression outputs found in SignatureDef: "),
        ("no_inputs", "No regression inputs found in SignatureDef: "),
    ],
)
def test_a_signature_that_is_no_regression_is_described(grpc_client, signature, start):
    with pytest.raises(grpc.RpcError) as raised:
        regress(grpc_client, f"{spec('classifier', signature)} {ONE}")

    assert raised.value.code() is PRECONDITION
    assert raised.value.details().startswith(start)


@pytest.mark.parametrize(
    ("path", "body", "text"),
    [
        pytest.param(
            "/v1/models/default:classify",
            {"signature_name": "classify_x_to_y", "examples": [{"x": 2.0}]},
            '{\n    "results": [[["", 3.0]]\n    ]\n}',
            id="classify",
        ),
        pytest.param(
            "/v1/models/classifier/versions/1:classify",
            {
                "signature_name": "both",
                "context": {"word": "all"},
                "examples": [{"x": [2.5]}, {"word": {"b64": "b3du"}}],
            },
            '{\n    "results": [[["all", 2.5], ["other", -2.5]],'
            ' [["own", 0.0], ["other", -0.0]]\n    ]\n}',
            id="classify with a context",
        ),
        pytest.param(
            "/v1/models/default:regress",
            {"signature_name": "regress_x_to_y", "examples": [{"x": 2.0}, {"x": 4.0}]},
            '{\n    "results": [3.0, 4.0]\n}',
            id="regress",
        ),
        pytest.param(
            "/v1/models/classifier:regress",
            '{"signature_name": "flat", "examples": [{"x": NaN}, {"x": -Infinity}, {"x": 1e39}]}',
            '{\n    "results": [NaN, -Infinity, Infinity]\n}',
            id="numbers that are none",
        ),
    ],
)
def test_rest_answers_to_the_letter(http_client, path, body, text):
    answer = http_client.post(path, body)

    assert (answer.status, answer.text) == (200, text)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('{"signature_name": ["a"]}', "'signature_name' key must be a string value."),
        ('{"context": [1]}', "Example must be JSON object but got JSON Array"),
        ("{}", "When method is classify, key 'examples' is expected and was not found"),
        ('{"examples": {}}', "Expecting 'examples' value to be an list/array"),
        ('{"examples": []}', "'examples' value is an empty array"),
        ('{"examples": [[]]}', "Example must be JSON object but got JSON Array"),
        (
            '{"examples": [{"names": [10, null]}]}',
            "Feature: names has element with unexpected JSON type: Null",
        ),
        (
            '{"examples": [{"names": [10, 10.0]}]}',
            "Unexpected element type in feature: names expecting type: int64",
        ),
        (
            '{"examples": [{"names": ["a", 1]}]}',
            "Unexpected element type in feature: names expecting type: bytes",
        ),
        (
            '{"examples": [{"names": [10, {"test": 10}]}]}',
            "Feature: names has element with unexpected JSON type: Object",
        ),
        (
            '{"examples": [{"names": [[10], 20]}]}',
            "Feature: names has element with unexpected JSON type: Array",
        ),
        (
            '{"examples": [{"names": [20, 18446744073709551603]}]}',
            "Feature: names has uint64 element. Only int64 is supported.",
        ),
    ],
)
def test_a_rest_body_that_holds_no_examples_says_why(http_client, body, message):
    answer = http_client.post("/v1/models/default:classify", body)

    assert answer.status == 400
    assert message in answer.json["error"]


def test_an_integer_is_no_float_feature(http_client):
    answer = http_client.post(
        "/v1/models/default:regress", {"signature_name": "regress_x_to_y", "examples": [{"x": 2}]}
    )

    assert answer.status == 400
    assert "Data types don't match" in answer.json["error"]
