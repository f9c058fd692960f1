"""The state of a model's versions, over both APIs."""

import grpc
import pytest
from google.protobuf import text_format
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest


def request(text: str) -> GetModelStatusRequest:
    return text_format.Parse(text, GetModelStatusRequest())


@pytest.mark.parametrize(
    ("text", "versions"),
    [
        pytest.param('model_spec { name: "two" }', [2, 1], id="newest first"),
        pytest.param('model_spec { name: "two" version { value: 1 } }', [1], id="one version"),
        pytest.param(
            'model_spec { name: "two" version_label: "nonsense" }', [2, 1], id="labels are ignored"
        ),
    ],
)
def test_the_states_of_versions_are_told_by_grpc(grpc_client, text, versions):
    answer = grpc_client.model.GetModelStatus(request(text))

    seen = [(s.version, s.state, s.status.error_code) for s in answer.model_version_status]
    assert seen == [(version, 30, 0) for version in versions]


@pytest.mark.parametrize(
    ("text", "code", "details"),
    [
        ("", grpc.StatusCode.INVALID_ARGUMENT, "Missing ModelSpec"),
        (
            "model_spec {}",
            grpc.StatusCode.NOT_FOUND,
            "Could not find any versions of model ",
        ),
        (
            'model_spec { name: "nobody" }',
            grpc.StatusCode.NOT_FOUND,
            "Could not find any versions of model nobody",
        ),
        (
            'model_spec { name: "two" version { value: 125 } }',
            grpc.StatusCode.NOT_FOUND,
            "Could not find version 125 of model two",
        ),
    ],
)
def test_what_is_not_known_is_not_found(grpc_client, text, code, details):
    with pytest.raises(grpc.RpcError) as raised:
        grpc_client.model.GetModelStatus(request(text))

    assert (raised.value.code(), raised.value.details()) == (code, details)


def test_the_state_of_a_version_is_told_by_rest(http_client):
    answer = http_client.get("/v1/models/default")

    assert answer.text == (
        '{\n "model_version_status": [\n  {\n   "version": "123",\n   "state": "AVAILABLE",\n'
        '   "status": {\n    "error_code": "OK",\n    "error_message": ""\n   }\n  }\n ]\n}\n'
    )


@pytest.mark.parametrize(
    ("path", "versions"),
    [
        ("/v1/models/two", ["2", "1"]),
        ("/v1/models/two/versions/1", ["1"]),
        ("/v1/models/two/labels/nonsense", ["2", "1"]),
        ("/V1/models/%74wo", ["2", "1"]),
    ],
)
def test_the_path_says_which_versions(http_client, path, versions):
    answer = http_client.get(path)

    assert [entry["version"] for entry in answer.json["model_version_status"]] == versions


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        ("GET", "/v1/models/nobody", 404, "Could not find any versions of model nobody"),
        ("GET", "/v1/models/two/versions/9", 404, "Could not find version 9 of model two"),
        ("GET", "/v1/models/two?x=1", 404, "Could not find any versions of model two?x=1"),
        ("GET", "/v1/models/two/what", 400, "Malformed request: GET /v1/models/two/what"),
        ("PUT", "/v1/models/two", 400, "Malformed request: PUT /v1/models/two"),
        ("DELETE", "/v1/models/two", 400, "Malformed request: DELETE /v1/models/two"),
    ],
)
def test_other_paths_and_methods_say_what_is_wrong(http_client, method, path, status, message):
    answer = http_client.request(method, path)

    assert (answer.status, answer.json) == (status, {"error": message})


def test_paths_outside_the_api_are_not_found(http_client):
    assert http_client.get("/").status == 404
    assert http_client.get("/v2/models").status == 404


def test_a_status_needs_a_models_name(http_client):
    answer = http_client.get("/v1/models")

    assert (answer.status, answer.json) == (400, {"error": "Missing model name in request."})


def test_all_models_are_listed(http_client, model_folders):
    models = http_client.get("/models").json["models"]

    assert [model["name"] for model in models] == sorted(
        folder.name for folder in model_folders.iterdir()
    )
    versions = {m["name"]: [v["version"] for v in m["model_version_status"]] for m in models}
    assert versions["two"] == ["2", "1"]
