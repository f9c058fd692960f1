"""A server with --enable_batching: concurrent requests of real SavedModels share runs.

A batch of this server waits an hour or until four rows fill it, so a test whose requests were not
merged would not end.
"""

import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from google.protobuf import text_format
from tensorflow_serving.apis.inference_pb2 import MultiInferenceRequest
from tensorflow_serving.apis.model_management_pb2 import ReloadConfigRequest
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.regression_pb2 import RegressionRequest

from model_server.options.command_line import InvalidOptions
from server.conftest import Running, model_config, serve
from server.transports import NAMES

FOUR_ROWS = (
    "max_batch_size { value: 4 } batch_timeout_micros { value: 3600000000 }"
    ' thread_pool_name { value: "fours" }'
)
PATH = "/monitoring/prometheus/metrics"
LONG = 60


@pytest.fixture(scope="module")
def parameters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("batching") / "parameters"
    file.write_text(FOUR_ROWS)
    return file


@pytest.fixture(scope="module", params=NAMES)
def batched(
    model_folders: Path, parameters: Path, request: pytest.FixtureRequest
) -> Iterator[Running]:
    """Serves three models in batches of four rows, over each transport."""
    running = serve(
        " ".join(model_config(model_folders / name) for name in ("default", "counter", "pair")),
        transport=request.param,
        enable_batching=True,
        batching_parameters_file=str(parameters),
        grpc_max_threads=16,
        rest_api_num_threads=8,
    )
    running.http.wait_until_ready()
    yield running
    running.end()


def metric(running: Running, name: str) -> float:
    """The number of this name on the page of metrics; 0 if it is not there."""
    for line in running.http.get(PATH).text.splitlines():
        if line.startswith(f":tensorflow:serving:batching_session:{name}"):
            return float(line.rpartition(" ")[2])
    return 0


def predict(
    running: Running, model: str, text: str, more: str = "", patience: float = LONG
) -> grpc.Future:
    """Asks with inputs as text; ``more`` is of the model's spec."""
    text = f'model_spec {{ name: "{model}" {more} }} {text}'
    request = text_format.Parse(text, PredictRequest())
    return running.grpc.prediction.Predict.future(request, timeout=patience)


def column(*numbers: float) -> str:
    """Text of an input ``x`` with a row for each number."""
    values = " ".join(f"float_val: {number}" for number in numbers)
    shape = f"tensor_shape {{ dim {{ size: {len(numbers)} }} dim {{ size: 1 }} }}"
    return f'inputs {{ key: "x" value {{ dtype: DT_FLOAT {shape} {values} }} }}'


def example(kind: str) -> str:
    return f'examples {{ features {{ feature {{ key: "x" value {{ {kind} }} }} }} }}'


def regress(running: Running, kind: str) -> grpc.Future:
    text = (
        'model_spec { name: "default" signature_name: "regress_x_to_y" }'
        f" input {{ example_list {{ {example(kind)} }} }}"
    )
    request = text_format.Parse(text, RegressionRequest())
    return running.grpc.prediction.Regress.future(request, timeout=LONG)


def test_a_full_batch_is_one_run_and_each_gets_its_own_answer(batched):
    runs, rows = metric(batched, "wrapped_run_count"), metric(batched, "input_batch_size_sum")

    answers = [predict(batched, "default", column(number)) for number in (1, 2, 3, 4)]

    assert [list(answer.result().outputs["y"].float_val) for answer in answers] == [
        [2.5],
        [3.0],
        [3.5],
        [4.0],
    ]
    assert metric(batched, "wrapped_run_count") == runs + 1
    assert metric(batched, "input_batch_size_sum") == rows + 4


def test_both_apis_share_a_batch(batched):
    runs = metric(batched, "wrapped_run_count")
    answers = [predict(batched, "default", column(number, number)) for number in (1,)]
    with ThreadPoolExecutor() as pool:
        rest = pool.submit(
            batched.http.post, "/v1/models/default:predict", '{"instances": [[3], [4]]}'
        )

        assert list(answers[0].result().outputs["y"].float_val) == [2.5, 2.5]
        assert rest.result().json == {"predictions": [[3.5], [4.0]]}
    assert metric(batched, "wrapped_run_count") == runs + 1


def test_of_examples_that_cannot_be_parsed_only_their_request_fails(batched):
    runs = metric(batched, "wrapped_run_count")
    good = [regress(batched, f"float_list {{ value: {n} }}") for n in (2, 4, 6)]
    bad = regress(batched, 'bytes_list { value: "no number" }')

    assert [answer.result().result.regressions[0].value for answer in good] == [3, 4, 5]
    assert bad.exception().code() == grpc.StatusCode.INVALID_ARGUMENT
    assert metric(batched, "wrapped_run_count") == runs + 1 + 4


def test_rows_of_other_shapes_form_a_batch_of_their_own(batched):
    def pairs(width: int) -> grpc.Future:
        shape = f"dim {{ size: 1 }} dim {{ size: {width} }}"
        values = "float_val: 1 " * width
        numbers = f"dtype: DT_FLOAT tensor_shape {{ {shape} }} {values}"
        words = 'dtype: DT_STRING tensor_shape { dim { size: 1 } } string_val: "a"'
        return predict(
            batched,
            "pair",
            f'inputs {{ key: "numbers" value {{ {numbers} }} }}'
            f' inputs {{ key: "words" value {{ {words} }} }}',
        )

    runs = metric(batched, "wrapped_run_count")
    two, three = [pairs(2) for _ in range(4)], [pairs(3) for _ in range(4)]

    assert [list(each.result().outputs["doubled"].float_val) for each in two] == [[2] * 2] * 4
    assert [list(each.result().outputs["doubled"].float_val) for each in three] == [[2] * 3] * 4
    assert metric(batched, "wrapped_run_count") == runs + 2


def test_rows_of_a_wrong_shape_fail_and_no_others(batched):
    shape = "dtype: DT_STRING tensor_shape { dim { size: 1 } dim { size: 1 } }"
    text = f'inputs {{ key: "inputs" value {{ {shape} string_val: "" }} }}'
    wrong = [
        predict(batched, "default", text, 'signature_name: "regress_x_to_y"') for _ in range(4)
    ]
    good = [regress(batched, f"float_list {{ value: {n} }}") for n in (2, 4, 6, 8)]

    assert [answer.result().result.regressions[0].value for answer in good] == [3, 4, 5, 6]
    assert {answer.exception().code() for answer in wrong} == {grpc.StatusCode.INVALID_ARGUMENT}


def test_several_tasks_on_the_same_examples_share_runs_too(batched):
    runs = metric(batched, "wrapped_run_count")
    tasks = " ".join(
        f'tasks {{ model_spec {{ name: "default" signature_name: "{name}" }}'
        ' method_name: "tensorflow/serving/regress" }'
        for name in ("regress_x_to_y", "regress_x_to_y2")
    )

    answers = [
        batched.grpc.prediction.MultiInference.future(
            text_format.Parse(
                f"{tasks} input {{ example_list {{ {example(f'float_list {{ value: {n} }}')} }} }}",
                MultiInferenceRequest(),
            ),
            timeout=LONG,
        )
        for n in (2, 4, 6, 8)
    ]

    assert [
        [each.regression_result.regressions[0].value for each in answer.result().results]
        for answer in answers
    ] == [[3, 4], [4, 5], [5, 6], [6, 7]]
    assert metric(batched, "wrapped_run_count") == runs + 1


def test_a_request_larger_than_a_batch_is_refused(batched):
    error = predict(batched, "default", column(1, 2, 3, 4, 5)).exception()

    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert error.details() == "Task size 5 is larger than maximum input batch size 4"


def test_a_request_without_rows_is_answered_at_once(batched):
    text = 'inputs { key: "x" value { dtype: DT_FLOAT tensor_shape { dim {} dim { size: 1 } } } }'

    assert predict(batched, "default", text).result().outputs["y"].tensor_shape.dim[0].size == 0


def test_a_signature_without_inputs_runs_by_itself(batched):
    request = text_format.Parse(
        'model_spec { name: "counter" signature_name: "incr_counter" }', PredictRequest()
    )

    answer = batched.grpc.prediction.Predict(request, timeout=LONG)

    assert list(answer.outputs["output"].float_val) == [1.0]


def test_one_whose_client_is_gone_is_in_no_batch(batched):
    rows = metric(batched, "input_batch_size_sum")
    gone = predict(batched, "default", column(7, 7, 7))
    in_flight = ':modelfleet:serving:in_flight_requests{entrypoint="GRPC"} '
    batched.http.wait_for(PATH, lambda answer: f"{in_flight}1" in answer.text)

    gone.cancel()

    batched.http.wait_for(PATH, lambda answer: f"{in_flight}0" in answer.text)
    stays = [predict(batched, "default", column(n, n)) for n in (1, 2)]
    assert [list(answer.result().outputs["y"].float_val) for answer in stays] == [
        [2.5, 2.5],
        [3.0, 3.0],
    ]
    assert metric(batched, "input_batch_size_sum") == rows + 4


def test_one_whose_deadline_passes_in_the_queue_is_in_no_batch(batched):
    rows = metric(batched, "input_batch_size_sum")

    late = predict(batched, "default", column(7, 7, 7), patience=0.5).exception()

    # Client and server see the same deadline; whoever does so first tells it its own way.
    told = (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.RESOURCE_EXHAUSTED)
    assert late.code() in told
    in_flight = ':modelfleet:serving:in_flight_requests{entrypoint="GRPC"} '
    batched.http.wait_for(PATH, lambda answer: f"{in_flight}0" in answer.text)
    stays = [predict(batched, "default", column(n, n)) for n in (1, 2)]
    assert [len(answer.result().outputs["y"].float_val) for answer in stays] == [2, 2]
    assert metric(batched, "input_batch_size_sum") == rows + 4


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        pytest.param("max_batch_size { value: 0 }", "max_batch_size", id="a size"),
        pytest.param("num_batch_threads { value: -1 }", "num_batch_threads", id="threads"),
        pytest.param("max_batch_site {}", "max_batch_site", id="no such field"),
    ],
)
def test_a_server_with_parameters_that_cannot_be_does_not_start_and_names_the_field(
    model_folders, parameters, told
):
    with pytest.raises(InvalidOptions, match=f"--batching_parameters: .*{told}"):
        serve(
            model_config(model_folders / "default"),
            enable_batching=True,
            batching_parameters=parameters,
        )


def test_parameters_of_the_flag_make_batches_as_those_of_a_file_do(started, model_folders):
    running = started(
        model_config(model_folders / "default"), enable_batching=True, batching_parameters=FOUR_ROWS
    )
    running.http.wait_until_ready()

    answers = [predict(running, "default", column(number)) for number in (1, 2, 3, 4)]

    assert [list(answer.result().outputs["y"].float_val) for answer in answers] == [
        [2.5],
        [3.0],
        [3.5],
        [4.0],
    ]
    assert metric(running, "wrapped_run_count") == 1
    assert metric(running, "input_batch_size_sum") == 4


@pytest.mark.parametrize("transport", NAMES[1:])
def test_calls_of_the_native_transport_wait_for_a_batch_without_threads(
    started, model_folders, transport
):
    running = started(
        model_config(model_folders / "default"),
        transport=transport,
        grpc_max_threads=1,
        enable_batching=True,
        batching_parameters=FOUR_ROWS,
    )
    running.http.wait_until_ready()

    answers = [predict(running, "default", column(number)) for number in (1, 2, 3, 4)]

    assert [answer.result().outputs["y"].float_val[0] for answer in answers] == [2.5, 3, 3.5, 4]


@pytest.mark.parametrize("transport", NAMES[1:])
def test_requests_of_the_native_transport_wait_for_a_batch_without_threads(
    started, model_folders, transport
):
    running = started(
        model_config(model_folders / "default"),
        transport=transport,
        rest_api_num_threads=1,
        enable_batching=True,
        batching_parameters=FOUR_ROWS,
    )
    running.http.wait_until_ready()

    def ask(number: int) -> object:
        body = {"instances": [float(number)]}
        return running.http.post("/v1/models/default:predict", body).json

    with ThreadPoolExecutor(4) as clients:
        answers = list(clients.map(ask, (1, 2, 3, 4)))

    assert answers == [{"predictions": [y]} for y in (2.5, 3.0, 3.5, 4.0)]
    assert metric(running, "wrapped_run_count") == 1


@pytest.mark.parametrize("transport", NAMES)
def test_a_request_that_takes_too_long_leaves_its_batch(started, model_folders, transport):
    running = started(
        model_config(model_folders / "default"),
        transport=transport,
        rest_api_timeout_in_ms=300,
        enable_batching=True,
        batching_parameters=FOUR_ROWS,
    )
    running.http.wait_until_ready()

    # Of the same shape as the others, so that it would be one of theirs.
    late = running.http.post("/v1/models/default:predict", {"instances": [[9.0]]})
    answers = [predict(running, "default", column(number)) for number in (1, 2, 3, 4)]

    assert late.status == 504
    assert [answer.result().outputs["y"].float_val[0] for answer in answers] == [2.5, 3, 3.5, 4]
    assert metric(running, "input_batch_size_sum") == 4


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("[", "JSON Parse error"),
        ('{"instances": ["a"]}', "not of expected type: float"),
        ('{"instances": [1], "signature_name": "no"}', "not found in signature def"),
        ('{"instances": [1], "signature_name": 1}', "must be a string value"),
    ],
)
def test_wrong_requests_are_told_at_once(batched, body, told):
    refused = ':tensorflow:serving:request_count{model_name="default",status="INVALID_ARGUMENT"} '
    before = counted(batched, refused)

    answer = batched.http.post("/v1/models/default:predict", body)

    assert (answer.status, told in answer.text) == (400, True), answer.text
    assert counted(batched, refused) == before + 1


def counted(running: Running, name: str) -> int:
    lines = running.http.get(PATH).text.splitlines()
    return sum(int(line.removeprefix(name)) for line in lines if line.startswith(name))


def test_a_version_that_says_nothing_is_not_batched_and_one_may_speak_for_itself(
    started, model_folders, tmp_path, parameters
):
    for version in ("1", "2"):
        shutil.copytree(model_folders / "default" / "00000123", tmp_path / "m" / version)
    (tmp_path / "m" / "2" / "batching_params.pbtxt").write_text("max_batch_size { value: 2 }")
    running = started(
        model_config(tmp_path / "m"),
        enable_batching=True,
        batching_parameters_file=str(parameters),
        enable_per_model_batching_parameters=True,
    )
    # A model is ready with one version.
    running.http.wait_for("/v1/models/m", lambda answer: answer.text.count('"AVAILABLE"') == 2)

    rows = column(1, 2, 3)
    one, two = [predict(running, "m", rows, f"version {{ value: {n} }}") for n in (1, 2)]

    assert list(one.result().outputs["y"].float_val) == [2.5, 3.0, 3.5]
    assert metric(running, "wrapped_run_count") == 0
    assert two.exception().details() == ("Task size 3 is larger than maximum input batch size 2")


def test_a_version_whose_parameters_cannot_be_does_not_load(started, model_folders, tmp_path):
    shutil.copytree(model_folders / "default" / "00000123", tmp_path / "m" / "1")
    (tmp_path / "m" / "1" / "batching_params.pbtxt").write_text("max_batch_size { value: -1 }")

    running = started(
        model_config(tmp_path / "m"),
        enable_batching=True,
        enable_per_model_batching_parameters=True,
        max_num_load_retries=0,
    )

    answer = running.http.wait_until_reason("LoadFailed")
    assert "batching_params.pbtxt: max_batch_size must be positive; was -1" in answer.text


def test_unloading_and_ending_leave_no_thread(model_folders):
    running = serve(
        model_config(model_folders / "default"), enable_batching=True, enable_profiler=False
    )
    running.http.wait_until_ready()
    assert list(predict(running, "default", column(1)).result().outputs["y"].float_val) == [2.5]

    running.grpc.model.HandleReloadConfigRequest(
        ReloadConfigRequest(config={"model_config_list": {}}), timeout=LONG
    )
    running.http.wait_for(
        "/v1/models/default", lambda answer: '"END"' in answer.text or answer.status == 404
    )
    running.end()

    names = [thread.name for thread in threading.enumerate()]
    assert not [name for name in names if name.startswith("model_server_batch_threads")]


def test_many_clients_with_requests_of_many_sizes_get_their_own_answers(
    started, model_folders, tmp_path
):
    file = tmp_path / "parameters"
    file.write_text(
        "max_batch_size { value: 12 } allowed_batch_sizes: 5 allowed_batch_sizes: 12"
        " enable_large_batch_splitting { value: true } max_execution_batch_size { value: 7 }"
        " max_enqueued_batches { value: 1000 }"
    )
    running = started(
        model_config(model_folders / "default"),
        enable_batching=True,
        batching_parameters_file=str(file),
    )
    running.http.wait_until_ready()
    sent = [[float(first + n) for n in range(first % 13)] for first in range(1, 200)]

    asked = [predict(running, "default", column(*numbers)) for numbers in sent]

    assert [list(each.result().outputs["y"].float_val) for each in asked] == [
        [0.5 * number + 2 for number in numbers] for numbers in sent
    ]
    assert metric(running, "input_batch_size_sum") == sum(len(numbers) for numbers in sent)


def test_a_rest_request_that_takes_too_long_leaves_its_queue(started, model_folders, parameters):
    running = started(
        model_config(model_folders / "default"),
        enable_batching=True,
        batching_parameters_file=str(parameters),
        rest_api_timeout_in_ms=1000,
    )
    running.http.wait_until_ready()

    answer = running.http.post("/v1/models/default:predict", '{"instances": [[1], [2], [3]]}')

    assert answer.status == 504
    in_flight = ':modelfleet:serving:in_flight_requests{entrypoint="REST"} '
    running.http.wait_for(PATH, lambda answer: f"{in_flight}1" not in answer.text)
    stays = [predict(running, "default", column(n, n)) for n in (1, 2)]
    assert [len(each.result().outputs["y"].float_val) for each in stays] == [2, 2]
    assert metric(running, "input_batch_size_sum") == 4
