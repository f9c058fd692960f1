"""Recorded requests are replayed before a version is available; one that fails, fails the load."""

import shutil

import pytest
from tensorflow_serving.apis.predict_pb2 import PredictRequest

from server.conftest import model_config
from server.formats import warm_ups


@pytest.fixture
def counter(model_folders, tmp_path):
    """A base path with a version 1 that counts its requests."""
    shutil.copytree(model_folders / "counter" / "1", tmp_path / "counter" / "1")
    return tmp_path / "counter"


@pytest.fixture
def half_plus_two(model_folders, tmp_path):
    """A base path with a version 1 that takes tensors and Examples."""
    shutil.copytree(model_folders / "default" / "00000123", tmp_path / "m" / "1")
    return tmp_path / "m"


def count(running):
    request = PredictRequest()
    request.model_spec.name = "counter"
    request.model_spec.signature_name = "get_counter"
    return running.grpc.prediction.Predict(request, timeout=180).outputs["output"].float_val[0]


def points(running, metric):
    """The lines of a metric that name a model's path, without the path."""
    page = running.http.get("/monitoring/prometheus/metrics").text
    return [line.split('1"')[-1] for line in page.splitlines() if line.startswith(metric)]


def end(running):
    """The status a failed load ended with, as (code, message)."""
    running.http.wait_until_reason("LoadFailed")
    (version,) = running.http.get("/v1/models/m").json["model_version_status"]
    assert version["state"] == "END"
    return version["status"]["error_code"], version["status"]["error_message"]


def test_each_record_has_run_once_when_the_version_is_available(started, counter):
    by_two = warm_ups.predict("incr_counter_by", delta=2.0)
    warm_ups.write(counter / "1", warm_ups.predict("incr_counter"), by_two, by_two)

    running = started(model_config(counter))
    running.http.wait_until_ready()

    assert count(running) == 5.0
    assert points(running, ":tensorflow:serving:model_warmup_records_read{") == [',status="OK"} 3']
    assert points(running, ":tensorflow:serving:model_warmup_latency_count") == [',status="OK"} 1']


def test_each_record_runs_as_often_as_the_flag_says(started, counter):
    warm_ups.write(counter / "1", *[warm_ups.predict("incr_counter")] * 3)

    running = started(model_config(counter), num_request_iterations_for_warmup=2)
    running.http.wait_until_ready()

    assert count(running) == 6.0


def test_nothing_is_replayed_where_the_flag_turns_it_off(started, counter):
    warm_ups.write(counter / "1", warm_ups.predict("incr_counter"))

    running = started(model_config(counter), enable_model_warmup=False)
    running.http.wait_until_ready()

    assert count(running) == 0.0


def test_a_thousand_records_are_allowed(started, counter):
    warm_ups.write(counter / "1", *[warm_ups.predict("incr_counter")] * 1000)

    running = started(model_config(counter))
    running.http.wait_until_ready()

    assert count(running) == 1000.0


def test_a_file_without_records_is_allowed(started, counter):
    warm_ups.write(counter / "1")

    running = started(model_config(counter))
    running.http.wait_until_ready()

    assert count(running) == 0.0


def test_records_of_all_methods_run_whatever_model_they_name(started, half_plus_two):
    warm_ups.write(
        half_plus_two / "1",
        warm_ups.classify(),
        warm_ups.regress(),
        warm_ups.predict(x=2.0),
        warm_ups.multi_inference(),
    )

    running = started(model_config(half_plus_two))
    # Without a request that is counted.
    running.http.wait_until("/readyz", 200)

    assert points(running, ":tensorflow:serving:model_warmup_records_read{") == [',status="OK"} 4']
    assert points(running, ":tensorflow:serving:request_count{") == []


BROKEN = [
    pytest.param(
        [b"\xffno log"],
        "INVALID_ARGUMENT",
        "Failed to parse warmup record: \ufffdno log from ",
        id="a record that is no log",
    ),
    pytest.param(
        [warm_ups.predict(x=2.0)] * 1001,
        "INVALID_ARGUMENT",
        "Number of warmup records exceeds the maximum (1000) at ",
        id="a record too many",
    ),
    pytest.param(
        [warm_ups.session_run()],
        "UNIMPLEMENTED",
        "Unsupported log_type for warmup: 5",
        id="a session's log",
    ),
    pytest.param(
        [warm_ups.predict_streamed()],
        "UNIMPLEMENTED",
        "Unsupported log_type for warmup: 7",
        id="a stream's log",
    ),
    pytest.param(
        [b""], "UNIMPLEMENTED", "Unsupported log_type for warmup: 0", id="a log without content"
    ),
    pytest.param(
        [warm_ups.predict("nowhere", x=2.0)],
        "FAILED_PRECONDITION",
        'Serving signature key "nowhere" not found.',
        id="a request that fails",
    ),
    pytest.param(
        [warm_ups.predict(x="two")],
        "INVALID_ARGUMENT",
        "Expects arg[0] to be float but string is provided",
        id="a request of another type",
    ),
]


@pytest.mark.parametrize(("records", "code", "message"), BROKEN)
def test_what_cannot_be_replayed_fails_the_load(started, half_plus_two, records, code, message):
    warm_ups.write(half_plus_two / "1", *records)

    ended = end(started(model_config(half_plus_two), max_num_load_retries=0))

    assert ended[0] == code
    assert ended[1].startswith(message)


def test_a_file_that_is_no_tfrecord_fails_the_load(started, half_plus_two):
    warm_ups.warm_up_file(half_plus_two / "1").write_bytes(warm_ups.predict(x=2.0))

    code, message = end(started(model_config(half_plus_two), max_num_load_retries=0))

    assert code == "DATA_LOSS"
    assert message.endswith("Please verify your warmup data is in TFRecord format.")


def test_a_new_version_that_fails_its_warm_up_leaves_the_old_one_serving(started, counter):
    running = started(model_config(counter, ""), max_num_load_retries=0)
    running.http.wait_until_ready()

    shutil.copytree(counter / "1", counter.parent / "2")
    warm_ups.write(counter.parent / "2", warm_ups.predict("nowhere"))
    (counter.parent / "2").rename(counter / "2")
    failed = running.http.wait_for(
        "/v1/models/counter/versions/2", lambda answer: '"END"' in answer.text
    )

    assert "FAILED_PRECONDITION" in failed.text
    assert count(running) == 0.0
