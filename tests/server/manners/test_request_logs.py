"""Request logging by a model's logging_config: what is recorded, over both APIs, and until when."""

import json
import shutil

import grpc
import pytest
import tensorflow as tf
from google.protobuf import json_format, text_format
from google.protobuf.unknown_fields import UnknownFieldSet
from tensorflow_serving.apis.model_management_pb2 import ReloadConfigRequest
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from server.conftest import Running, model_config, serve
from server.formats import warm_ups

METRICS = "/monitoring/prometheus/metrics"
ALL = "model_version_policy { all {} }"
EXAMPLE = {"signature_name": "classify_x_to_y", "examples": [{"x": 2.0}], "context": {"a": "b"}}


def logging(kind: str, prefix: str, rate: float = 1.0) -> str:
    """The text of a logging_config."""
    return (
        f'logging_config {{ log_collector_config {{ type: "{kind}" filename_prefix: "{prefix}" }}'
        f" sampling_config {{ sampling_rate: {rate} }} }}"
    )


def logs_in(folder) -> list[PredictionLog]:
    """The records of all TFRecord files below a folder."""
    return [
        PredictionLog.FromString(record)
        for file in sorted(folder.rglob("*.tfrecord"))
        for record in tf.compat.v1.io.tf_record_iterator(str(file))
    ]


def lines_in(folder) -> list[dict[str, object]]:
    """The lines of all JSONL files below a folder."""
    texts = [file.read_text() for file in sorted(folder.rglob("*.jsonl"))]
    return [json.loads(line) for text in texts for line in text.splitlines()]


def wait_until_recorded(running: Running, count: int) -> None:
    """Returns when so many requests are in the files."""
    sample = f':request_log_count{{model_name="default",status_code="OK"}} {count}\n'
    running.http.wait_for(METRICS, lambda page: sample in page.text)


def reload(running: Running, *models: str) -> None:
    text = f"config {{ model_config_list {{ {' '.join(models)} }} }}"
    running.grpc.model.HandleReloadConfigRequest(text_format.Parse(text, ReloadConfigRequest()))


def predict(running: Running, model: str = "default", value: float = 1.0) -> None:
    running.http.post(f"/v1/models/{model}:predict", {"instances": [value]})


@pytest.fixture
def logged(started, model_folders, tmp_path):
    """Starts a server whose model ``default`` is logged as given; returns it when it is ready."""

    def start(*config: object) -> Running:
        model = model_config(model_folders / "default", f"{ALL} {logging(*config)}")
        running = started(model, request_log_folder=str(tmp_path / "logs"))
        running.http.wait_until_ready()
        return running

    return start


def ask_everything(running: Running) -> None:
    """One request of each kind that is recorded, over each API that has it."""
    over_grpc = running.grpc.prediction
    for ask, kind, record in (
        (over_grpc.Predict, "predict_log", warm_ups.predict("regress_x2_to_y3", inputs=[2.0])),
        (over_grpc.Classify, "classify_log", warm_ups.classify()),
        (over_grpc.Regress, "regress_log", warm_ups.regress()),
    ):
        request = getattr(PredictionLog.FromString(record), kind).request
        request.model_spec.name = "default"
        request.model_spec.ClearField("version")
        ask(request)
    many = PredictionLog.FromString(warm_ups.multi_inference()).multi_inference_log.request
    for task in many.tasks:
        task.model_spec.name = "default"
    over_grpc.MultiInference(many)
    running.http.post("/v1/models/default/versions/123:predict", {"instances": [1.0, 2.0]})
    running.http.post("/v1/models/default:classify", EXAMPLE)
    running.http.post("/v1/models/default:regress", EXAMPLE | {"signature_name": "regress_x_to_y"})


def test_every_kind_of_request_is_recorded_over_both_apis(logged, tmp_path):
    running = logged("tfrecord", "of_default")

    ask_everything(running)
    wait_until_recorded(running, 7)

    logs = logs_in(tmp_path)
    assert [log.WhichOneof("log_type") for log in logs] == [
        "predict_log",
        "classify_log",
        "regress_log",
        "multi_inference_log",
        "predict_log",
        "classify_log",
        "regress_log",
    ]
    assert [log.log_metadata.model_spec.version.value for log in logs] == [123] * 7
    assert all(log.log_metadata.sampling_config.sampling_rate == 1 for log in logs)
    assert all(log.log_metadata.saved_model_tags == ["serve"] for log in logs)
    assert all(log.log_metadata.timestamp_secs > 1.7e9 for log in logs)


def test_a_record_of_rest_is_what_the_same_request_over_grpc_would_be(logged, tmp_path):
    running = logged("tfrecord", "of_default")

    ask_everything(running)
    wait_until_recorded(running, 7)

    predicted, classified = logs_in(tmp_path)[4:6]
    assert predicted.predict_log == text_format.Parse(
        """
        request {
          model_spec { name: "default" version { value: 123 } }
          inputs { key: "x" value {
            dtype: DT_FLOAT tensor_shape { dim { size: 2 } } float_val: 1 float_val: 2 } }
        }
        response {
          model_spec { name: "default" version { value: 123 } signature_name: "serving_default" }
          outputs { key: "y" value {
            dtype: DT_FLOAT tensor_shape { dim { size: 2 } } float_val: 2.5 float_val: 3 } }
        }
        """,
        type(predicted.predict_log)(),
    )
    given = classified.classify_log.request.input.example_list_with_context
    assert given.examples[0].features.feature["x"].float_list.value == [2.0]
    assert given.context.features.feature["a"].bytes_list.value == [b"b"]
    (row,) = classified.classify_log.response.result.classifications
    assert row.classes[0].score == 3.0


def test_a_log_can_be_replayed_as_a_warm_up(logged, started, model_folders, tmp_path):
    running = logged("tfrecord", "of_default")
    ask_everything(running)
    wait_until_recorded(running, 7)
    version = tmp_path / "again" / "1"
    shutil.copytree(model_folders / "default" / "00000123", version)
    (log,) = (tmp_path / "logs").iterdir()
    shutil.copy(log, warm_ups.warm_up_file(version))

    again = started(model_config(tmp_path / "again"))
    again.http.wait_until_ready()

    assert (
        f':model_warmup_records_read{{model_path="{version}",status="OK"}} 7'
        in again.http.get(METRICS).text
    )


def test_lines_of_json_are_prediction_logs(logged, tmp_path):
    running = logged("jsonl", "of_default")

    predict(running)
    request = PredictRequest(model_spec={"name": "default"})
    request.inputs["x"].CopyFrom(tf.make_tensor_proto([1.0]))
    running.grpc.prediction.Predict(request)
    wait_until_recorded(running, 2)

    logs = [json_format.ParseDict(line, PredictionLog()) for line in lines_in(tmp_path)]
    assert [list(log.predict_log.response.outputs["y"].float_val) for log in logs] == [[2.5]] * 2


@pytest.mark.parametrize("kind", ["jsonl", "tfrecord"])
def test_a_record_names_the_trace_of_its_request(logged, tmp_path, kind):
    running = logged(kind, "of_default")
    trace = "0af7651916cd43dd8448eb211c80319c"
    parent = f"00-{trace}-b7ad6b7169203331-01"

    body = b'{"instances": [1.0]}'
    running.http.request("POST", "/v1/models/default:predict", body, traceparent=parent)
    request = PredictRequest(model_spec={"name": "default"})
    request.inputs["x"].CopyFrom(tf.make_tensor_proto([1.0]))
    running.grpc.prediction.Predict(request, metadata=[("traceparent", parent)])
    wait_until_recorded(running, 2)

    traces = [line["trace_id"] for line in lines_in(tmp_path)] + [
        (field.field_number, field.data)
        for log in logs_in(tmp_path)
        for field in UnknownFieldSet(log.log_metadata)
    ]
    assert traces == [trace if kind == "jsonl" else (10_001, trace.encode())] * 2


def test_a_request_that_fails_is_not_recorded(logged, tmp_path):
    running = logged("jsonl", "of_default")

    running.http.post("/v1/models/default:predict", {"instances": ["no number"]})
    predict(running)
    wait_until_recorded(running, 1)

    assert len(lines_in(tmp_path)) == 1


def test_a_sample_is_recorded_and_the_end_waits_for_it_to_be_written(model_folders, tmp_path):
    model = model_config(model_folders / "default", f"{ALL} {logging('jsonl', 'log', 0.5)}")
    running = serve(model, request_log_folder=str(tmp_path))
    running.http.wait_until_ready()

    for _ in range(100):
        predict(running)
    running.end()

    # Beyond these bounds once in 10^14 runs.
    assert 12 <= len(lines_in(tmp_path)) <= 88


def test_a_reload_changes_and_ends_logging(logged, model_folders, tmp_path):
    running = logged("jsonl", "first")
    folder = model_folders / "default"

    predict(running, value=1.0)
    reload(running, model_config(folder, f"{ALL} {logging('jsonl', 'second')}"))
    predict(running, value=2.0)
    reload(running, model_config(folder))
    predict(running, value=3.0)
    wait_until_recorded(running, 2)

    files = sorted((tmp_path / "logs").iterdir())
    assert [file.name.split(".")[0] for file in files] == ["first", "second"]
    assert [len(file.read_text().splitlines()) for file in files] == [1, 1]


@pytest.mark.parametrize(
    ("config", "code", "words"),
    [
        (("paper", "log"), "NOT_FOUND", "Cannot find LogCollector::Factory for type: paper"),
        (("jsonl", "../log"), "INVALID_ARGUMENT", 'the filename_prefix "../log"'),
        (("jsonl", "/tmp/log"), "INVALID_ARGUMENT", 'the filename_prefix "/tmp/log"'),
        (("jsonl", "log", 1.5), "INVALID_ARGUMENT", "sampling_rate must be from 0 to 1, not 1.5"),
    ],
    ids=["no such collector", "outside of the folder", "another folder", "no rate"],
)
def test_a_logging_config_that_cannot_be_is_refused_and_changes_nothing(
    logged, model_folders, config, code, words
):
    running = logged("jsonl", "of_default")

    with pytest.raises(grpc.RpcError) as refused:
        reload(running, model_config(model_folders / "default", f"{ALL} {logging(*config)}"))
    predict(running)

    assert refused.value.code().name == code
    assert words in refused.value.details()
    wait_until_recorded(running, 1)


def test_without_a_folder_for_it_no_request_may_be_logged(running, model_folders):
    with pytest.raises(grpc.RpcError) as refused:
        reload(running, model_config(model_folders / "default", f"{ALL} {logging('jsonl', 'x')}"))

    assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert "--request_log_folder" in refused.value.details()


def test_serving_goes_on_when_a_log_cannot_be_written_and_losses_are_counted(logged, tmp_path):
    (tmp_path / "logs").write_text("a file where a folder should be")
    running = logged("jsonl", "of_default")

    answers = [
        running.http.post("/v1/models/default:predict", {"instances": [1.0]}) for _ in range(3)
    ]
    sample = ':request_log_count{model_name="default",status_code="DATA_LOSS"} 3'
    running.http.wait_for(METRICS, lambda page: sample in page.text)

    assert [answer.json for answer in answers] == [{"predictions": [2.5]}] * 3


def test_a_package_can_bring_a_collector(logged, tmp_path, monkeypatch):
    module = """
class Paper:
    def __init__(self, destination, limits):
        self.path = destination.filename_prefix

    def collect(self, record):
        with open(self.path, "w") as paper:
            paper.write(record.log.WhichOneof("log_type"))

    def close(self):
        pass
"""
    package = tmp_path / "package"
    (package / "paper-1.dist-info").mkdir(parents=True)
    (package / "paper.py").write_text(module)
    points = "[modelfleet.log_collectors]\npaper = paper:Paper\n"
    (package / "paper-1.dist-info" / "entry_points.txt").write_text(points)
    (package / "paper-1.dist-info" / "METADATA").write_text("Name: paper\nVersion: 1\n")
    (tmp_path / "logs").mkdir()
    monkeypatch.syspath_prepend(package)

    running = logged("paper", "sheet")
    predict(running)
    wait_until_recorded(running, 1)

    assert (tmp_path / "logs" / "sheet").read_text() == "predict_log"
