"""Predict without Python: the same answers as with it, and only while nothing has changed."""

import re
import time

import grpc
import numpy as np
import pytest
from google.protobuf import text_format
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow_serving.apis.model_management_pb2 import ReloadConfigRequest
from tensorflow_serving.apis.predict_pb2 import PredictRequest

from model_server.servables import dtypes, tensors
from model_server.servables.tensor_bytes import varint
from server import saved_models
from server.conftest import model_config
from server.transport.direct_counts import METRICS, counted
from server.transport.served_twice import served_twice
from server.transports import NAMES

pytestmark = list(NAMES[-1].marks)
PREDICT = "/tensorflow.serving.PredictionService/Predict"
# So many quick runs make a signature quick, and some more.
MANY = 60
NUMBERS = {
    "float": dtypes.FLOAT,
    "double": dtypes.DOUBLE,
    "int32": dtypes.INT32,
    "int16": dtypes.INT16,
    "int8": dtypes.INT8,
    "uint8": dtypes.UINT8,
    "uint16": dtypes.UINT16,
    "int64": dtypes.INT64,
    "bool": dtypes.BOOL,
}
shapes = st.lists(st.integers(0, 3), max_size=3).map(tuple)
few = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def servers(model_folders):
    """A server that answers by Python alone, and one that answers without where it can."""
    with served_twice(model_folders, "default", "identities", "two", "slow") as servers:
        yield servers


@pytest.fixture(scope="module")
def native(servers):
    """The one that answers without Python where it can."""
    return servers[1]


@pytest.fixture
def own(started, model_folders):
    """The same for one test, with both versions of ``two``."""
    running = started(
        model_config(model_folders / "two"),
        transport="native",
    )
    running.http.wait_until_available("two", 1, 2)
    return running


def half_of(model: str, x: float, more: str = "") -> PredictRequest:
    text = (
        f'model_spec {{ name: "{model}" {more} }} inputs {{ key: "x" value {{ dtype: DT_FLOAT }} }}'
    )
    request = text_format.Parse(text, PredictRequest())
    request.inputs["x"].CopyFrom(TensorProto(dtype=1, float_val=[x]))
    return request


def asked(running, request: PredictRequest, times: int = 1) -> list[bytes]:
    call = running.grpc.channel.unary_unary(PREDICT)
    return [call(request.SerializeToString(), timeout=180) for _ in range(times)]


def told(running, request: PredictRequest):
    """Code, details and answer."""
    call = running.grpc.channel.unary_unary(PREDICT)
    future = call.future(request.SerializeToString(), timeout=180)
    failed = future.exception() is not None
    return future.code(), future.details(), None if failed else future.result()


def until_direct(running, request: PredictRequest) -> None:
    """Asks until threads that serve connections answer."""
    model, until = request.model_spec.name, time.monotonic() + 150
    before = counted(running, model, "connection")
    while counted(running, model, "connection") == before:
        asked(running, request, MANY)
        assert time.monotonic() < until


def test_quick_requests_are_answered_by_the_threads_that_serve_connections(native):
    request = half_of("default", 3.0)
    answers: set[bytes] = set()

    def at_once() -> float:
        until_direct(native, request)
        before = counted(native, "default", "connection")
        answers.update(asked(native, request, 200))
        return counted(native, "default", "connection") - before

    # A busy machine makes some of them slow, and now and then one as slow as a stall.
    assert any(at_once() > 100 for _ in range(5))
    assert len(answers) == 1


@few
@given(data=st.data())
@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_of_any_form_are_answered_as_by_python(servers, name, data):
    dtype, shape = NUMBERS[name], data.draw(shapes)
    bits = st.binary(min_size=(size := dtype.numpy.itemsize), max_size=size)
    count = int(np.prod(shape))
    cells = data.draw(st.lists(bits, min_size=count, max_size=count))
    array = np.frombuffer(b"".join(cells), dtype.numpy).reshape(shape)
    if dtype is dtypes.BOOL:
        array = array.view(np.uint8) % 2 == 1
    request = PredictRequest()
    request.model_spec.name = "identities"
    request.model_spec.signature_name = f"of_{name}"
    tensors.encode(array, request.inputs["x"], as_content=data.draw(st.booleans()))
    if data.draw(st.booleans()):
        # Fewer values than the shape has, or more.
        request.inputs["x"].tensor_shape.dim.add().size = data.draw(st.integers(0, 2))

    by_python, once, again = (told(server, request) for server in (*servers, servers[1]))

    assert once == again == by_python


@pytest.mark.parametrize(
    "change",
    [
        pytest.param('inputs { key: "y" value { dtype: DT_FLOAT float_val: 1 } }', id="one more"),
        pytest.param('inputs { key: "x" value { dtype: DT_INT32 int_val: 1 } }', id="another type"),
        pytest.param('inputs { key: "x" value { dtype: DT_STRING string_val: "1" } }', id="text"),
        pytest.param(
            'inputs { key: "x" value { tensor_shape { unknown_rank: true } } }', id="rank"
        ),
        pytest.param('inputs { key: "x" value { tensor_shape { dim { size: -1 } } } }', id="size"),
        pytest.param('output_filter: "y"', id="an output"),
        pytest.param('output_filter: "none"', id="no output"),
        pytest.param('model_spec { name: "two" version { value: 1 } }', id="another version"),
        pytest.param('model_spec { name: "two" version { value: 9 } }', id="no version"),
        pytest.param('model_spec { name: "two" signature_name: "none" }', id="no signature"),
    ],
)
def test_what_is_asked_otherwise_is_told_as_by_python(servers, change):
    until_direct(servers[1], half_of("two", 1.0))
    request = half_of("two", 1.0)
    text_format.Merge(change, request)

    by_python, once, again = (told(server, request) for server in (*servers, servers[1]))

    assert once == again == by_python


def test_a_run_that_fails_is_told_and_counted_as_by_python(started, tmp_path):
    saved_models.product(tmp_path / "product" / "1")
    both = [
        started(model_config(tmp_path / "product"), transport=name) for name in ("python", "native")
    ]
    for server in both:
        server.http.wait_until_available("product", 1)

    def request(*shape: int) -> PredictRequest:
        request = PredictRequest()
        request.model_spec.name = "product"
        tensors.encode(np.ones(shape, np.float32), request.inputs["x"])
        return request

    until_direct(both[1], request(2, 2))
    by_python, by_native = (told(server, request(2, 3)) for server in both)
    pages = [server.http.get(METRICS).text for server in both]

    assert by_native == by_python
    assert by_native[0] is grpc.StatusCode.INVALID_ARGUMENT
    for counter in ("tensorflow:serving:request_count", "signature_run_count"):
        failed = re.compile(counter + r'{model_name="product",.*status="INVALID_ARGUMENT"} 1\n')
        assert all(map(failed.search, pages))


def test_every_request_is_counted_once(own):
    metrics = (
        ':tensorflow:serving:request_count{model_name="two",status="OK"}',
        'request_latency_count{model_name="two",API="Predict",entrypoint="GRPC"}',
        'signature_run_count{model_name="two",signature="serving_default",status="OK"}',
    )

    def seen() -> list[int]:
        page = own.http.get(METRICS).text
        return [int(re.findall(re.escape(metric) + r" (\d+)", page)[0]) for metric in metrics]

    until_direct(own, half_of("two", 1.0))
    before = seen()
    asked(own, half_of("two", 1.0), MANY)

    assert seen() == [count + MANY for count in before]


def test_who_asks_for_the_same_in_many_ways_keeps_nobody_from_being_answered_so(own):
    call = own.grpc.channel.unary_unary(PREDICT)
    request = half_of("two", 2.0)
    [answer] = asked(own, request)

    for number in range(5000):
        another = half_of("two", 2.0)
        # A field that nobody knows, of the ModelSpec.
        another.model_spec.MergeFromString(b"\xf8\x01" + varint(number))
        assert call(another.SerializeToString(), timeout=180) == answer

    assert asked(own, request) == [answer]
    until_direct(own, half_of("two", 2.0))


def test_the_newest_version_answers_as_soon_as_it_is_there(own, model_folders):
    first, second = half_of("two", 2.0, "version { value: 1 }"), half_of("two", 2.0)
    for request in (first, second):
        until_direct(own, request)
    only_first = model_config(
        model_folders / "two", "model_version_policy { specific { versions: 1 } }"
    )

    reload(own, only_first)
    own.http.wait_for("/v1/models/two", lambda answer: '"END"' in answer.text)
    after = [asked(own, request) for request in (first, second)]
    until_direct(own, second)
    reload(own, model_config(model_folders / "two"))
    own.http.wait_until_available("two", 2)

    assert after[0] == after[1]
    assert asked(own, second) != after[1]


def reload(running, *models: str) -> None:
    text = f"config {{ model_config_list {{ {' '.join(models)} }} }}"
    running.grpc.model.HandleReloadConfigRequest(text_format.Parse(text, ReloadConfigRequest()))


def test_a_model_that_is_gone_answers_no_more(own):
    request = half_of("two", 2.0)
    until_direct(own, request)

    reload(own)
    own.http.wait_for("/v1/models/two", lambda answer: answer.text.count('"END"') == 2)

    assert told(own, request)[0] is grpc.StatusCode.NOT_FOUND


def test_requests_that_are_to_be_logged_are_seen_by_python(started, model_folders, tmp_path):
    running = started(
        model_config(model_folders / "two"),
        transport="native",
        request_log_folder=str(tmp_path),
    )
    running.http.wait_until_available("two", 2)
    until_direct(running, half_of("two", 1.0))
    logging = (
        'logging_config { log_collector_config { type: "tfrecord" filename_prefix: "two" }'
        " sampling_config { sampling_rate: 1 } }"
    )

    reload(
        running,
        model_config(model_folders / "two", f"model_version_policy {{ all {{}} }} {logging}"),
    )
    before = counted(running, "two")
    asked(running, half_of("two", 1.0), MANY)

    assert counted(running, "two") == before
    assert f'request_log_count{{model_name="two",status_code="OK"}} {MANY}' in (
        running.http.wait_for(
            METRICS, lambda answer: f'status_code="OK"}} {MANY}' in answer.text
        ).text
    )


def work(rounds: int) -> PredictRequest:
    """A request that takes some microseconds a round."""
    request = half_of("slow", 1.0)
    tensors.encode(np.array(rounds, np.int64), request.inputs["rounds"])
    return request


def test_a_signature_that_stalls_is_left_alone_by_the_threads_that_serve_connections(native):
    def at_once_after_a_stall() -> float:
        until_direct(native, work(0))
        before = counted(native, "slow", "connection")
        asked(native, work(20_000))
        asked(native, work(0), MANY)
        return counted(native, "slow", "connection") - before

    # At most the one that showed it; on a busy machine it may not have been quick just then.
    assert any(at_once_after_a_stall() <= 1 for _ in range(3))


def test_a_request_that_takes_long_holds_up_nobody(native):
    call = native.grpc.channel.unary_unary(PREDICT)
    asked(native, work(20_000))

    long = [call.future(work(100_000).SerializeToString(), timeout=180) for _ in range(2)]
    asked(native, half_of("default", 1.0), MANY)
    were_over = [each.done() for each in long]
    answers = {each.result() for each in long}

    assert were_over == [False, False]
    assert len(answers) == 1
