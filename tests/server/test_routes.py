"""Which action a method and a path ask for, and of which model."""

import pytest

from model_server.api.rest.routes import Route, is_api, path_of, route
from model_server.core.errors import Code, ServingError
from model_server.service.model_spec import ModelSpec

# Every character that is reserved in paths, as it is sent and as it is meant.
SENT = "n%21%23%24%25%26%27%28%29%2A%2B%2C%2F%3A%3B%3D%3F%40%5B%5D"
MEANT = "n!#$%&'()*+,/:;=?@[]"


@pytest.mark.parametrize(
    ("method", "path", "action", "spec"),
    [
        ("GET", "/v1/models/m", "status", {"name": "m"}),
        ("GET", "/v1/models/m/versions/99", "status", {"name": "m", "version": 99}),
        ("GET", "/v1/models/m/labels/l", "status", {"name": "m", "label": "l"}),
        ("GET", "/v1/models/m/metadata", "metadata", {"name": "m"}),
        ("GET", "/v1/models/m/labels/l/metadata", "metadata", {"name": "m", "label": "l"}),
        ("GET", f"/v1/models/{SENT}", "status", {"name": MEANT}),
        (
            "GET",
            f"/v1/models/{SENT}/labels/{SENT}/metadata",
            "metadata",
            {"name": MEANT, "label": MEANT},
        ),
        ("GET", "/v1/models/m?x=1", "status", {"name": "m?x=1"}),
        ("POST", "/v1/models/m:predict", "predict", {"name": "m"}),
        ("POST", "/v1/models/m:classify", "classify", {"name": "m"}),
        ("POST", "/v1/models/m/versions/007:regress", "regress", {"name": "m", "version": 7}),
        ("POST", "/v1/models/m/versions/0:regress", "regress", {"name": "m", "version": 0}),
        (
            "POST",
            "/v1/models/m/versions/9223372036854775807:predict",
            "predict",
            {"name": "m", "version": 2**63 - 1},
        ),
        ("POST", "/V1/Models/m/Labels/L:predict", "predict", {"name": "m", "label": "L"}),
        (
            "POST",
            f"/v1/models/{SENT}/labels/{SENT}:predict",
            "predict",
            {"name": MEANT, "label": MEANT},
        ),
    ],
)
def test_a_path_names_an_action_and_a_model(method, path, action, spec):
    assert is_api(path)
    assert route(method, path) == Route(action, ModelSpec(**spec))


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/foo"),
        ("POST", "/v1/foo"),
        ("POST", "/v1/models"),
        ("GET", "/v1/models/m:predict"),
        ("GET", "/v1/models/m/version/5"),
        ("GET", "/v1/models/m/metadata/"),
        ("GET", "/v1/models/m/labels/a/versions/5"),
        ("POST", "/v1/models/m/metadata"),
        ("POST", "/v1/models/m/version/50:predict"),
        ("POST", "/v1/models/m/versions/HELLO:predict"),
        ("POST", "/v1/models/m/versions/-1:predict"),
        ("POST", "/v1/models/m/versions/٣:predict"),
        ("POST", "/v1/models/m/versions/50/labels/a:regress"),
        ("POST", "/v1/models/m:explain"),
        ("POST", "/v1/models/m:Predict"),
        ("POST", "/v1/models/m:predict/"),
        ("POST", "/v1/models/m:predict?x=1"),
        ("PUT", "/v1/models/m:predict"),
        ("DELETE", "/v1/models/m"),
    ],
)
def test_other_paths_are_malformed(method, path):
    with pytest.raises(ServingError) as raised:
        route(method, path)

    assert (raised.value.code, raised.value.message) == (
        Code.INVALID_ARGUMENT,
        f"Malformed request: {method} {path}",
    )


@pytest.mark.parametrize("version", [2**63, 2**64 - 1, "9" * 5000])
def test_a_version_beyond_int64_is_told(version):
    with pytest.raises(ServingError, match="Failed to convert version: "):
        route("POST", f"/v1/models/m/versions/{version}:predict")


def test_the_list_of_models_needs_a_name():
    with pytest.raises(ServingError, match=r"Missing model name in request\."):
        route("GET", "/v1/models")


@pytest.mark.parametrize("path", ["/", "/statuspage", "/index", "/v1", "/v2/models/m", "/v1models"])
def test_what_is_not_under_v1_is_not_of_the_api(path):
    assert not is_api(path)


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/v1/models/m", "/v1/models/m"),
        ("http://host:8501/v1/models/m:predict?x=1", "/v1/models/m:predict?x=1"),
        ("HTTPS://host/v1/models/a://b", "/v1/models/a://b"),
        ("/v1/models/http://b", "/v1/models/http://b"),
        ("http://host", "/"),
    ],
)
def test_a_target_may_name_scheme_and_host(target, path):
    assert path_of(target) == path
