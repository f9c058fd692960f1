"""A package of somebody else adds a platform: installed by pip, served by the command."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis.predict_pb2 import PredictRequest

from server.upstream_server import UpstreamServer

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "linear-platform"
PAGE = ROOT / "docs" / "how-to" / "add-a-platform.md"
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A folder that pip installed the package in."""
    source = tmp_path_factory.mktemp("source") / "linear-platform"
    # A build leaves files beside its sources.
    shutil.copytree(EXAMPLE, source)
    site = tmp_path_factory.mktemp("site")
    # With what is here: a test asks no registry.
    offline = ["--no-index", "--no-deps", "--no-build-isolation"]
    subprocess.run([*PIP, "install", *offline, "--target", str(site), str(source)], check=True)
    return site


@pytest.fixture(scope="module")
def server(installed, tmp_path_factory) -> Iterator[UpstreamServer]:
    """A server of two models of the new platform, of which ``broken`` is none."""
    root = tmp_path_factory.mktemp("models")
    config = "model_config_list {\n"
    for name, content in {
        "prices": '{"weights": [2.0, -1.0], "bias": 0.5}',
        "broken": '{"weights": [2.0]}',
    }.items():
        (root / name / "1").mkdir(parents=True)
        (root / name / "1" / "linear.json").write_text(content)
        config += f'config {{ name: "{name}" base_path: "{root / name}" model_platform: "linear" }}'
    (root / "models.config").write_text(config + "}")
    server = UpstreamServer(
        f"--model_config_file={root / 'models.config'}",
        env={**os.environ, "PYTHONPATH": str(installed)},
    )
    yield server.wait_until_up()
    server.end()


def predicted(server: UpstreamServer, x: list[list[float]]) -> list[float]:
    request = PredictRequest(model_spec={"name": "prices"})
    request.inputs["x"].CopyFrom(tf.make_tensor_proto(np.array(x, np.float32)))
    answer = server.grpc.prediction.Predict(request, timeout=180)
    return tf.make_ndarray(answer.outputs["y"]).tolist()


def test_it_answers_over_both_apis(server):
    x = [[1.0, 2.0], [10.0, 0.0]]

    by_rest = server.http.post("/v1/models/prices:predict", {"instances": x})

    assert predicted(server, x) == [0.5, 20.5]
    assert by_rest.json == {"predictions": [0.5, 20.5]}


def test_its_errors_reach_the_client(server):
    with pytest.raises(grpc.RpcError) as raised:
        predicted(server, [[1.0, 2.0, 3.0]])

    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert raised.value.details() == "input x must have shape [?,2], but has [1, 3]"


def test_its_signature_is_metadata(server):
    told = server.http.get("/v1/models/prices/metadata").json

    (signature,) = told["metadata"]["signature_def"]["signature_def"].values()
    assert [dim["size"] for dim in signature["inputs"]["x"]["tensor_shape"]["dim"]] == ["-1", "2"]


def test_a_model_that_does_not_load_says_why(server):
    told = server.http.wait_until_reason("LoadFailed").text

    assert "linear.json is no linear model: 'bias'" in told


@pytest.mark.parametrize("file", ["pyproject.toml", "modelfleet_linear.py"])
def test_the_page_shows_the_code_that_is_tested(file):
    assert f"\n{(EXAMPLE / file).read_text()}```" in PAGE.read_text()
