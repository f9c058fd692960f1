"""Folders that hold no sound model end in a status, and leave the others served."""

import shutil

import grpc
import pytest
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
from tensorflow_serving.apis.predict_pb2 import PredictRequest

from server import saved_models
from server.conftest import model_config


def without_saved_model(folder):
    (folder / "saved_model.pb").unlink()


def truncated(folder):
    file = folder / "saved_model.pb"
    file.write_bytes(file.read_bytes()[:-100])


def garbage(folder):
    (folder / "saved_model.pb").write_bytes(b"\xff" * 100)


def empty(folder):
    (folder / "saved_model.pb").write_bytes(b"")


def unknown_op(folder):
    saved = SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    saved.meta_graphs[0].graph_def.node.add(name="strange", op="NoSuchOperation")
    (folder / "saved_model.pb").write_bytes(saved.SerializeToString())


def other_tags(folder):
    saved = SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    saved.meta_graphs[0].meta_info_def.tags[:] = ["train"]
    (folder / "saved_model.pb").write_bytes(saved.SerializeToString())


def without_variables(folder):
    shutil.rmtree(folder / "variables")


def truncated_variables(folder):
    file = folder / "variables" / "variables.data-00000-of-00001"
    file.write_bytes(file.read_bytes()[:2])


def other_variables(folder):
    saved_models.counter(folder.parent / "other")
    shutil.rmtree(folder / "variables")
    shutil.copytree(folder.parent / "other" / "variables", folder / "variables")
    shutil.rmtree(folder.parent / "other")


def missing_tensor(folder):
    saved = SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    signature = saved.meta_graphs[0].signature_def["serving_default"]
    signature.outputs["y"].name = "nowhere:0"
    (folder / "saved_model.pb").write_bytes(saved.SerializeToString())


BROKEN = [
    pytest.param(without_saved_model, "NOT_FOUND", "Could not find SavedModel", id="no file"),
    pytest.param(truncated, "DATA_LOSS", "Cannot parse", id="truncated"),
    pytest.param(garbage, "DATA_LOSS", "Cannot parse", id="garbage"),
    pytest.param(empty, "NOT_FOUND", "serve", id="empty"),
    pytest.param(unknown_op, "NOT_FOUND", "NoSuchOperation", id="an unknown operation"),
    pytest.param(other_tags, "NOT_FOUND", "serve", id="other tags"),
    pytest.param(without_variables, "NOT_FOUND", "variables", id="no variables"),
    pytest.param(
        truncated_variables,
        "OUT_OF_RANGE",
        "Read less bytes than requested",
        id="truncated variables",
    ),
    pytest.param(other_variables, "NOT_FOUND", "checkpoint", id="variables of another model"),
]


@pytest.fixture
def model(model_folders, tmp_path):
    """A base path with a copy of a sound version 1, to be broken."""
    shutil.copytree(model_folders / "two" / "1", tmp_path / "m" / "1")
    return tmp_path / "m"


@pytest.mark.parametrize(("breaks", "code", "word"), BROKEN)
def test_a_broken_version_is_told_with_its_error(started, model, breaks, code, word):
    breaks(model / "1")

    running = started(model_config(model), max_num_load_retries=0)
    running.http.wait_until_reason("LoadFailed")
    # The error is told a moment before the version has ended by it.
    ended = running.http.wait_for("/v1/models/m", lambda answer: '"END"' in answer.text)
    (version,) = ended.json["model_version_status"]

    assert (version["state"], version["status"]["error_code"]) == ("END", code)
    assert word in version["status"]["error_message"]


def test_a_broken_model_leaves_the_others_served(started, model_folders, model):
    without_saved_model(model / "1")

    running = started(f"{model_config(model)} {model_config(model_folders / 'pair')}")
    running.http.wait_until_reason("LoadFailed")

    answer = running.http.wait_for("/v1/models/pair", lambda answer: '"AVAILABLE"' in answer.text)
    assert answer.status == 200


def test_a_broken_new_version_leaves_the_old_one_serving(started, model):
    running = started(model_config(model, ""), max_num_load_retries=0)
    running.http.wait_until_ready()

    (model / "2").mkdir()
    running.http.wait_for("/v1/models/m/versions/2", lambda answer: '"END"' in answer.text)

    assert running.http.post("/v1/models/m:predict", {"inputs": 2.0}).json == {"outputs": 3.0}


def test_a_signature_whose_tensor_is_missing_fails_only_when_asked(started, model):
    missing_tensor(model / "1")
    running = started(model_config(model))
    running.http.wait_until_ready()

    broken = running.http.post("/v1/models/m:predict", {"inputs": 2.0})
    request = PredictRequest()
    request.model_spec.name = "m"
    request.inputs["x"].CopyFrom(TensorProto(dtype=1, float_val=[2.0]))
    with pytest.raises(grpc.RpcError, match="nowhere") as over_grpc:
        running.grpc.prediction.Predict(request)
    sound = running.http.post(
        "/v1/models/m:predict", {"inputs": 2.0, "signature_name": "regress_x2_to_y3"}
    )

    assert broken.status in (400, 404)
    assert "nowhere" in broken.json["error"]
    assert over_grpc.value.code() is not grpc.StatusCode.INTERNAL
    assert sound.json == {"outputs": 4.0}
