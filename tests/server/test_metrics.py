"""Metrics: how they are counted, and the page that Prometheus reads."""

import re
import shutil

import pytest
from google.protobuf import text_format
from tensorflow_serving.apis.model_management_pb2 import ReloadConfigRequest
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from model_server.api.rest.prometheus import metric_name, page
from model_server.options.command_line import InvalidOptions
from model_server.options.flags import Options
from model_server.options.monitoring import prometheus_path
from model_server.service.metrics.kinds import Counter, Gauge, Histogram, exponential
from server.conftest import model_config, serve

PATH = "/monitoring/prometheus/metrics"


def test_the_page_is_spelt_as_upstream_spells_it():
    total = Counter("/test/path/total", "name")
    total.add(("abc",))
    total.add(("abc",))
    gauge = Gauge("/test/path/gauge", "x", "y")
    gauge.add(("abc", "def"), 5)
    histogram = Histogram("/test/path/histogram", exponential(1, 2, 10), "status")
    for sample in (2, 20, 200):
        histogram.add(("good",), sample)

    text = page([metric.collect() for metric in (total, gauge, histogram)])

    bucket = ':test:path:histogram_bucket{status="good",le='
    assert text.splitlines() == [
        "# TYPE :test:path:total counter",
        ':test:path:total{name="abc"} 2',
        "# TYPE :test:path:gauge gauge",
        ':test:path:gauge{x="abc",y="def"} 5',
        "# TYPE :test:path:histogram histogram",
        f'{bucket}"1"}} 0',
        f'{bucket}"2"}} 0',
        f'{bucket}"4"}} 1',
        f'{bucket}"8"}} 1',
        f'{bucket}"16"}} 1',
        f'{bucket}"32"}} 2',
        f'{bucket}"64"}} 2',
        f'{bucket}"128"}} 2',
        f'{bucket}"256"}} 3',
        f'{bucket}"512"}} 3',
        f'{bucket}"+Inf"}} 3',
        ':test:path:histogram_sum{status="good"} 222',
        ':test:path:histogram_count{status="good"} 3',
    ]


def test_labels_are_quoted_and_names_cleaned():
    counter = Counter("0/path-total_count", "my-name+1")
    counter.add(('"abc\\"',))

    assert page([counter.collect()]) == (
        '# TYPE _0:path:total_count counter\n_0:path:total_count{my_name_1="\\"abc\\\\\\""} 1\n'
    )


def test_a_metric_without_labels_has_braces_and_one_without_points_is_left_out():
    counted, silent = Counter("a"), Counter("b")
    counted.add(())

    assert page([counted.collect(), silent.collect()]) == "# TYPE a counter\na{} 1\n"


@pytest.mark.parametrize(("name", "clean"), [("/a/b", ":a:b"), ("1", "_1"), ("a.b-c", "a:b:c")])
def test_names_hold_what_prometheus_allows(name, clean):
    assert metric_name(name) == clean


def test_clients_cannot_make_up_labels_without_end():
    counter = Counter("requests", "model")
    for number in range(10_010):
        counter.add((f"model{number}",))

    points = counter.collect().points

    assert len(points) == 10_001
    assert points[("(other)",)] == 10


@pytest.fixture(scope="module")
def page_of_all(model_folders, tmp_path_factory):
    """The samples of a server that was asked everything: their names and the names of labels."""
    from server.formats import warm_ups

    base = tmp_path_factory.mktemp("metrics") / "all"
    version = base / "1"
    shutil.copytree(model_folders / "default" / "00000123", version)
    warm_ups.write(version, warm_ups.classify())
    (version / "assets.extra" / "mlmd_uuid").write_text("6a7b")
    running = serve(model_config(base))
    running.http.wait_until_ready()
    example = {"signature_name": "classify_x_to_y", "examples": [{"x": 2.0}]}
    running.http.post("/v1/models/all:classify", example)
    running.http.post("/v1/models/all:predict", {"instances": [1.0]})
    running.http.get("/v1/models/all")
    running.http.get("/v1/models/made_up")
    many = PredictionLog.FromString(warm_ups.multi_inference()).multi_inference_log.request
    for task in many.tasks:
        task.model_spec.name = "all"
    running.grpc.prediction.MultiInference(many)
    text = running.http.get(PATH).text
    running.end()
    return text


def samples(text: str) -> set[tuple[str, tuple[str, ...]]]:
    """The name of each sample, and the names of its labels."""
    found = re.findall(r"^([^#{][^{]*)\{(.*)\} ", text, re.MULTILINE)
    return {(name, tuple(re.findall(r'(\w+)="', labels))) for name, labels in found}


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("serving:request_count", ("model_name", "status")),
        ("serving:request_latency_count", ("model_name", "API", "entrypoint")),
        ("serving:runtime_latency_sum", ("model_name", "API", "runtime")),
        ("serving:request_example_counts_bucket", ("model", "le")),
        ("serving:request_example_count_total", ("model",)),
        ("serving:model_warmup_latency_count", ("model_path", "status")),
        ("serving:model_warmup_records_read", ("model_path", "status")),
        ("serving:mlmd_map", ("model_name", "version")),
        ("cc:saved_model:load_attempt_count", ("model_path", "status")),
        ("cc:saved_model:load_latency", ("model_path",)),
        ("core:graph_runs", ()),
        ("core:graph_run_time_usecs", ()),
        ("core:graph_run_time_usecs_histogram_count", ()),
    ],
)
def test_metrics_have_the_names_and_labels_of_upstream(page_of_all, name, labels):
    assert (f":tensorflow:{name}", labels) in samples(page_of_all)


def test_requests_for_models_that_are_not_there_share_one_name(page_of_all):
    assert (
        ':tensorflow:serving:request_count{model_name="(other)",status="NOT_FOUND"} 1'
        in page_of_all.splitlines()
    )
    assert "made_up" not in page_of_all


@pytest.fixture
def two(started, model_folders):
    """A fresh server of both versions of the model ``two``, which has answered no request yet."""
    running = started(model_config(model_folders / "two"))
    loaded = ':modelfleet:serving:loaded_versions{model_name="two"} 2'
    running.http.wait_for(PATH, lambda answer: loaded in answer.text.splitlines())
    return running


def test_requests_are_counted_by_status_and_timed_if_they_succeed(two):
    two.http.post("/v1/models/two:predict", {"instances": [1.0]})
    two.http.post("/v1/models/two:predict", "nonsense")

    lines = two.http.get(PATH).text.splitlines()

    assert ':tensorflow:serving:request_count{model_name="two",status="OK"} 1' in lines
    assert (
        ':tensorflow:serving:request_count{model_name="two",status="INVALID_ARGUMENT"} 1' in lines
    )
    assert (
        ":tensorflow:serving:request_latency_count"
        '{model_name="two",API="predict",entrypoint="REST"} 1' in lines
    )
    assert (
        ':tensorflow:serving:runtime_latency_count{model_name="two",API="Predict",runtime="TF1"} 1'
        in lines
    )
    assert (
        ":modelfleet:serving:signature_runtime_latency_count"
        '{model_name="two",signature="serving_default"} 1' in lines
    )
    assert (
        ":modelfleet:serving:signature_run_count"
        '{model_name="two",signature="serving_default",status="OK"} 1' in lines
    )
    assert ':modelfleet:serving:loaded_versions{model_name="two"} 2' in lines
    assert ':modelfleet:serving:in_flight_requests{entrypoint="REST"} 0' in lines


def test_the_page_has_its_type_and_no_other_path(two):
    page_answer = two.http.get(PATH)
    queried = two.http.get(f"{PATH}?x=1")

    assert page_answer.headers["Content-Type"] == "text/plain"
    assert (queried.status, queried.text) == (
        400,
        f"Unexpected path: {PATH}?x=1. Should be {PATH}",
    )


def test_a_reload_tells_how_much_metrics_grew(two, model_folders):
    entries = [model_config(model_folders / name) for name in ("two", "pair")]
    request = text_format.Parse(
        f"config {{ model_config_list {{ {' '.join(entries)} }} }}"
        ' metric_names: "/tensorflow/serving/request_count" metric_names: "/no/such/metric"',
        ReloadConfigRequest(),
    )

    answer = two.grpc.model.HandleReloadConfigRequest(request)

    assert [(metric.name, metric.int64_value_increase) for metric in answer.metric] == [
        ("/tensorflow/serving/request_count", 0)
    ]


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("prometheus_config { enable: true }", PATH),
        ('prometheus_config { enable: true path: "/metrics" }', "/metrics"),
        ("prometheus_config { enable: false }", None),
        ("", None),
    ],
)
def test_a_monitoring_config_says_where_the_metrics_are(tmp_path, text, path):
    file = tmp_path / "monitoring.config"
    file.write_text(text)

    assert prometheus_path(Options(monitoring_config_file=str(file))) == path


def test_metrics_are_on_without_a_monitoring_config():
    assert prometheus_path(Options()) == PATH


def test_a_monitoring_config_that_does_not_parse_is_named(tmp_path):
    file = tmp_path / "monitoring.config"
    file.write_text("prometheus { }")

    with pytest.raises(InvalidOptions, match=r"tensorflow\.serving\.MonitoringConfig"):
        prometheus_path(Options(monitoring_config_file=str(file)))
