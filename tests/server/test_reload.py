"""ModelService/HandleReloadConfigRequest: other models without a restart."""

import shutil

import grpc
import pytest
from google.protobuf import text_format
from tensorflow_serving.apis.model_management_pb2 import ReloadConfigRequest

from server import onnx_models
from server.conftest import model_config

INVALID = grpc.StatusCode.INVALID_ARGUMENT


def reload(running, text: str):
    return running.grpc.model.HandleReloadConfigRequest(
        text_format.Parse(text, ReloadConfigRequest())
    )


def listed(*entries: str) -> str:
    return f"config {{ model_config_list {{ {' '.join(entries)} }} }}"


def refused(running, text: str) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as raised:
        reload(running, text)
    return raised.value.code(), raised.value.details()


@pytest.fixture
def two(started, model_folders):
    """A server of the model ``two``, whose versions 1 and 2 are available."""
    running = started(model_config(model_folders / "two"))
    running.http.wait_until_available("two", 1, 2)
    return running


def test_a_new_model_is_available_when_the_call_returns(two, model_folders):
    answer = reload(
        two, listed(model_config(model_folders / "two"), model_config(model_folders / "pair"))
    )

    assert answer.status.error_code == 0
    assert two.http.get("/v1/models/pair").json["model_version_status"][0]["state"] == "AVAILABLE"
    assert two.http.post("/v1/models/two:predict", {"inputs": 2.0}).status == 200


def test_a_model_of_which_no_version_is_asked_for_is_refused_and_holds_up_nothing(
    two, model_folders
):
    none = "model_version_policy { specific {} }"

    code, said = refused(two, listed(model_config(model_folders / "pair", none)))
    answer = reload(two, listed(model_config(model_folders / "two")))

    assert code is grpc.StatusCode.UNKNOWN
    assert "the version policy names no version; found version 1" in said
    assert answer.status.error_code == 0


def test_a_model_left_out_is_unloaded_and_can_come_back(two, model_folders):
    reload(two, "config { model_config_list {} }")
    two.http.wait_for("/v1/models/two", lambda answer: answer.text.count('"END"') == 2)
    gone = two.http.post("/v1/models/two:predict", {"inputs": 2.0})

    reload(two, listed(model_config(model_folders / "two")))
    back = two.http.post("/v1/models/two:predict", {"inputs": 2.0})

    assert gone.status == 404
    assert back.status == 200


def test_another_base_path_brings_its_versions(two, model_folders, tmp_path):
    shutil.copytree(model_folders / "two" / "1", tmp_path / "two" / "7")

    reload(two, listed(model_config(tmp_path / "two")))
    two.http.wait_for("/v1/models/two/versions/7", lambda answer: '"AVAILABLE"' in answer.text)

    assert two.http.post("/v1/models/two:predict", {"inputs": 2.0}).json == {"outputs": 3.0}


def test_labels_choose_versions_and_vanish_with_their_configuration(two, model_folders):
    folder = model_folders / "two"
    labels = (
        "model_version_policy { all {} }"
        ' version_labels { key: "old" value: 1 } version_labels { key: "new" value: 2 }'
    )

    reload(two, listed(model_config(folder, labels)))
    old = two.http.post("/v1/models/two/labels/old:predict", {"inputs": 2.0})
    new = two.http.post("/v1/models/two/labels/new:predict", {"inputs": 2.0})
    reload(two, listed(model_config(folder)))
    gone = two.http.post("/v1/models/two/labels/old:predict", {"inputs": 2.0})

    assert (old.json, new.json) == ({"outputs": 3.0}, {"outputs": 4.0})
    assert gone.json == {"error": "Unrecognized servable version label: old"}


def test_a_label_on_a_version_that_is_not_available_is_refused(two, model_folders):
    labels = 'model_version_policy { all {} } version_labels { key: "next" value: 9 }'

    code, details = refused(two, listed(model_config(model_folders / "two", labels)))

    assert code is grpc.StatusCode.FAILED_PRECONDITION
    assert details == (
        "Request to assign label to version 9 of model two,"
        " which is not currently available for inference"
    )


def test_a_label_on_a_version_to_come_is_accepted_if_a_flag_says_so(started, model_folders):
    folder = model_folders / "two"
    running = started(model_config(folder), allow_version_labels_for_unavailable_models=True)
    running.http.wait_until_ready()
    labels = 'model_version_policy { all {} } version_labels { key: "next" value: 9 }'

    reload(running, listed(model_config(folder, labels)))
    answer = running.http.post("/v1/models/two/labels/next:predict", {"inputs": 2.0})

    assert answer.json == {"error": "Servable not found for request: Specific(two, 9)"}


def test_a_label_in_use_cannot_move_to_a_version_to_come(started, model_folders):
    folder = model_folders / "two"
    running = started(model_config(folder), allow_version_labels_for_unavailable_models=True)
    running.http.wait_until_ready()
    labels = 'model_version_policy {{ all {{}} }} version_labels {{ key: "a" value: {} }}'
    reload(running, listed(model_config(folder, labels.format(1))))

    code, details = refused(running, listed(model_config(folder, labels.format(9))))

    assert code is grpc.StatusCode.FAILED_PRECONDITION
    assert details.endswith("which is not currently available for inference")
    assert running.http.post("/v1/models/two/labels/a:predict", {"inputs": 2.0}).status == 200


def test_models_of_several_platforms_come_and_go(two, model_folders, tmp_path):
    (tmp_path / "words" / "0").mkdir(parents=True)
    (tmp_path / "words" / "0" / "hashmap.csv").write_text("a,1")
    words = (
        f'config {{ name: "words" base_path: "{tmp_path / "words"}" model_platform: "hashmap" }}'
    )
    onnx_models.half_plus_two(tmp_path / "graph" / "5")
    graph = f'config {{ name: "graph" base_path: "{tmp_path / "graph"}" model_platform: "onnx" }}'

    reload(two, listed(model_config(model_folders / "two"), words))
    first = two.http.post("/v1/models/words:predict", {"inputs": "a"}).json
    reload(two, listed(words, graph))
    second = two.http.post("/v1/models/graph:predict", {"inputs": [2.0]}).json
    changed = refused(two, listed(words.replace("hashmap", "onnx"), graph))

    assert first == {"outputs": {"found": True, "values": "1"}}
    assert second == {"outputs": [3.0]}
    assert two.http.get("/v1/models/words/versions/0").status == 200
    assert changed == (
        INVALID,
        "Illegal to change a model's platform. For model words platform was hashmap"
        " and new platform requested is onnx",
    )


@pytest.mark.parametrize(
    ("text", "details"),
    [
        pytest.param(
            "",
            "ServerModelConfig type not supported by HandleReloadConfigRequest."
            " Only ModelConfigList is currently supported",
            id="no configuration",
        ),
        pytest.param(
            "config { custom_model_config {} }",
            "ServerModelConfig type not supported by HandleReloadConfigRequest."
            " Only ModelConfigList is currently supported",
            id="a custom configuration",
        ),
        pytest.param(
            listed('config { name: "m" base_path: "/a" model_platform: "tensorflow" }' * 2),
            "Illegal to list model m multiple times in config list",
            id="a name twice",
        ),
        pytest.param(
            listed('config { name: "m" base_path: "a/b" model_platform: "tensorflow" }'),
            "Expected model m to have an absolute path or URI; got base_path()=a/b",
            id="a relative path",
        ),
        pytest.param(
            listed('config { name: "m" base_path: "/a" }'),
            "Illegal setting neither ModelServerConfig::model_type (deprecated)"
            " nor ModelServerConfig::model_platform, model name is m",
            id="no platform",
        ),
        pytest.param(
            listed(
                'config { name: "m" base_path: "/a" model_type: TENSORFLOW'
                ' model_platform: "tensorflow" }'
            ),
            "Illegal setting both ModelServerConfig::model_type (deprecated)"
            " and ModelServerConfig::model_platform.",
            id="a platform twice",
        ),
    ],
)
def test_a_configuration_that_cannot_be_changes_nothing(two, text, details):
    assert refused(two, text) == (INVALID, details)
    assert two.http.post("/v1/models/two:predict", {"inputs": 2.0}).status == 200


def test_a_client_cannot_make_the_server_run_code_that_lies_in_a_folder(two, tmp_path):
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "model.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")

    code, details = refused(
        two, listed(f'config {{ name: "m" base_path: "{tmp_path}" model_platform: "python" }}')
    )

    assert code is INVALID
    assert details.endswith("start the server with --servable_platforms=python")
    assert not (tmp_path / "ran").exists()


def test_an_unknown_platform_is_refused_with_those_there_are(two):
    code, details = refused(two, listed('config { name: "m" base_path: "/a" model_platform: "P" }'))

    assert code is INVALID
    assert details.startswith("Model m requests unsupported platform P; this server has: ")
    assert "tensorflow" in details


def test_the_deprecated_type_names_the_platform(two, model_folders):
    entry = f'config {{ name: "m" base_path: "{model_folders / "two"}" model_type: TENSORFLOW }}'

    assert reload(two, listed(entry)).status.error_code == 0


def test_a_new_model_that_does_not_load_is_told_with_its_error(started, model_folders, tmp_path):
    running = started(model_config(model_folders / "two"), max_num_load_retries=0)
    running.http.wait_until_ready()
    (tmp_path / "broken" / "1").mkdir(parents=True)

    code, details = refused(
        running, listed(model_config(model_folders / "two"), model_config(tmp_path / "broken"))
    )

    assert code is grpc.StatusCode.UNKNOWN
    assert details.startswith(
        "1 model(s) did not become available: {{{name: broken version: 1} due to error: NOT_FOUND:"
        " Could not find SavedModel"
    )
    assert running.http.post("/v1/models/two:predict", {"inputs": 2.0}).status == 200


def test_a_new_model_without_a_base_path_is_told_and_loads_when_it_appears(
    two, model_folders, tmp_path
):
    late = tmp_path / "late"

    code, details = refused(two, listed(model_config(model_folders / "two"), model_config(late)))
    shutil.copytree(model_folders / "pair", late)
    two.http.wait_until_ready()

    assert code is grpc.StatusCode.UNKNOWN
    assert details == (
        "1 model(s) did not become available: {{{name: late} due to error: NOT_FOUND:"
        f" base path {late} does not exist}}, }}"
    )
    assert two.http.get("/v1/models/late").status == 200


def test_the_config_file_is_read_again_as_often_as_a_flag_says(started, model_folders, tmp_path):
    file = tmp_path / "models.config"
    entry = model_config(model_folders / "two")
    file.write_text(f"model_config_list {{ {entry} }}")
    running = started(entry, model_config_file=str(file), model_config_file_poll_wait_seconds=1)
    running.http.wait_until_ready()

    file.write_text("nonsense")
    more = model_config(model_folders / "pair")
    file.write_text(f"model_config_list {{ {entry} {more} }}")

    answer = running.http.wait_for("/v1/models/pair", lambda answer: '"AVAILABLE"' in answer.text)
    assert answer.status == 200
