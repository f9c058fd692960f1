"""PredictionService/MultiInference: several tasks on the same Examples."""

import grpc
import pytest
from google.protobuf import text_format
from tensorflow_serving.apis.inference_pb2 import MultiInferenceRequest

INVALID = grpc.StatusCode.INVALID_ARGUMENT
X2 = (
    "input { example_list { examples { features {"
    ' feature { key: "x" value { float_list { value: 2 } } } } } } }'
)


def task(signature: str, method: str = "regress", model: str = "default") -> str:
    return (
        f'tasks {{ model_spec {{ name: "{model}" signature_name: "{signature}" }}'
        f' method_name: "tensorflow/serving/{method}" }}'
    )


def infer(client, text: str):
    return client.prediction.MultiInference(text_format.Parse(text, MultiInferenceRequest()))


def test_tasks_are_answered_in_their_order(grpc_client):
    tasks = [task("regress_x_to_y2"), task("classify_x_to_y", "classify"), task("regress_x_to_y")]

    answer = infer(grpc_client, f"{' '.join(tasks)} {X2}")

    spec = 'model_spec {{ name: "default" version {{ value: 123 }} signature_name: "{}" }}'
    assert answer == text_format.Parse(
        f"results {{ {spec.format('regress_x_to_y2')}"
        " regression_result { regressions { value: 4.0 } } }"
        f" results {{ {spec.format('classify_x_to_y')}"
        " classification_result { classifications { classes { score: 3.0 } } } }"
        f" results {{ {spec.format('regress_x_to_y')}"
        " regression_result { regressions { value: 3.0 } } }",
        type(answer)(),
    )


def test_one_task_is_enough(grpc_client):
    answer = infer(grpc_client, f"{task('regress_x_to_y')} {X2}")

    assert answer.results[0].regression_result.regressions[0].value == 3.0


@pytest.mark.parametrize(
    ("text", "code", "details"),
    [
        pytest.param(X2, INVALID, "ModelSpec has no name specified.", id="no tasks"),
        pytest.param(task("regress_x_to_y"), INVALID, "Input is empty.", id="no input"),
        pytest.param(
            f"{task('X')} {X2}",
            INVALID,
            "Requested signature not found in model graph: X",
            id="unknown signature",
        ),
        pytest.param(
            f"{task('regress_x_to_y')} {task('regress_x_to_y2', model='other')} {X2}",
            INVALID,
            "All ModelSpecs in a MultiInferenceRequest must access the same model name.",
            id="two models",
        ),
        pytest.param(
            f"{task('regress_x_to_y')} {task('regress_x_to_y2', model='')} {X2}",
            INVALID,
            "Found ModelSpec with an empty model name.",
            id="a task without a model",
        ),
        pytest.param(
            f"{task('regress_x_to_y')} {task('regress_x_to_y')} {X2}",
            INVALID,
            "Duplicate evaluation of signature: regress_x_to_y",
            id="a signature twice",
        ),
        pytest.param(
            f"{task('regress_x_to_y', 'predict')} {X2}",
            grpc.StatusCode.UNIMPLEMENTED,
            "Unsupported signature method_name: tensorflow/serving/predict",
            id="predict",
        ),
        pytest.param(
            f"{task('regress_x_to_y')} {task('regress_x2_to_y3')} {X2}",
            INVALID,
            "Input tensor must be the same for all Signatures.",
            id="two inputs",
        ),
        pytest.param(
            f"{task('regress_x_to_y', model='nobody')} {X2}",
            grpc.StatusCode.NOT_FOUND,
            "Servable not found for request: Latest(nobody)",
            id="unknown model",
        ),
    ],
)
def test_what_cannot_be_inferred_says_why(grpc_client, text, code, details):
    with pytest.raises(grpc.RpcError) as raised:
        infer(grpc_client, text)

    assert (raised.value.code(), raised.value.details()) == (code, details)
