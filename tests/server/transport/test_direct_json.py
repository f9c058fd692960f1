"""Predict over REST without Python: the same answers as with it, to the byte."""

import json
import re
import struct
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from google.protobuf import text_format
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tensorflow_serving.apis.model_management_pb2 import ReloadConfigRequest
from tensorflow_serving.apis.model_service_pb2_grpc import ModelServiceStub

from server import saved_models
from server.conftest import model_config
from server.identities import Identity, config_file
from server.transport.direct_counts import METRICS, counted
from server.transport.served_twice import served_twice
from server.transports import NAMES

pytestmark = list(NAMES[-1].marks)
IDENTITIES = "/v1/models/identities:predict"
TYPES = ("float", "double", "int32", "int16", "int8", "uint8", "int64", "bool", "uint16", "half")
many = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
# Numbers as texts: such as programs write, and such as only people and fuzzers do.
floats = st.floats(allow_nan=False, allow_infinity=False).map(repr)
float32s = (
    st.binary(min_size=4, max_size=4)
    .map(lambda cells: struct.unpack("<f", cells)[0])
    .filter(lambda value: abs(value) < float("inf"))
    .map(repr)
)
wholes = st.integers(-(2**66), 2**66).map(str) | st.integers(-(2**33), 2**33).map(str)
small = st.integers(-300, 300).map(str)
decimals = st.from_regex(
    r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?", fullmatch=True
)
bools = st.sampled_from(["true", "false"])
odd = st.sampled_from(["null", '"1"', "-0", "-0.0", "01", "1.", "NaN", "Infinity", "[]", "{}", ""])


def lists(values, sizes: list[int]):
    """Lists of these sizes, as text."""
    for size in reversed(sizes):
        values = st.lists(values, min_size=size, max_size=size).map(
            lambda items: f"[{', '.join(items)}]"
        )
    return values


shapes = st.lists(st.integers(1, 3), max_size=3)
one_kind = st.sampled_from([floats, float32s, wholes, small, decimals, bools])
tensors = st.tuples(one_kind, shapes).flatmap(lambda drawn: lists(*drawn))
# A value at the wrong place, of the wrong kind, or none; lists of different sizes.
mixed = st.recursive(
    floats | small | bools | odd,
    lambda values: st.lists(values, max_size=3).map(lambda items: f"[{','.join(items)}]"),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def servers(model_folders, tmp_path_factory):
    """A server that answers by Python alone, and one that answers without where it can."""
    folder = tmp_path_factory.mktemp("direct_json")
    for name in ("default", "identities", "two", "slow"):
        (folder / name).symlink_to(model_folders / name)
    saved_models.product(folder / "product" / "1")
    saved_models.several(folder / "several" / "1")
    with served_twice(folder, "default", "identities", "two", "slow", "product", "several") as both:
        yield both


def told(running, path: str, body: str):
    """Status, type and answer."""
    answer = running.http.post(path, body)
    return answer.status, answer.header("content-type"), answer.body


def assert_told_alike(servers, path: str, body: str) -> None:
    by_python, once, again = (told(each, path, body) for each in (*servers, servers[1]))
    assert once == again == by_python


@many
@given(text=tensors | mixed, form=st.sampled_from(["instances", "inputs"]), named=st.booleans())
@example(text="[16777217, 9007199254740993, 18446744073709551615]", form="inputs", named=False)
@example(
    text="[1.001953125, 100000.5, 1e-05, 0.0001, 123456, 1234567, 1e16]",
    form="instances",
    named=False,
)
@example(text="[3.4028236e38, -1e39, 1e308, 4.9e-324, 1e-400]", form="instances", named=False)
@pytest.mark.parametrize("name", TYPES)
def test_any_json_is_answered_as_by_python(servers, name, text, form, named):
    if named and form == "inputs":
        text = f'{{"x": {text}}}'
    body = f'{{"signature_name": "of_{name}", "{form}": {text}}}'

    assert_told_alike(servers, IDENTITIES, body)


@many
@given(data=st.data())
def test_several_inputs_and_outputs_are_answered_as_by_python(servers, data):
    count = data.draw(st.integers(1, 3))
    a, b = ([data.draw(floats | small) for _ in range(count)] for _ in range(2))
    b = [f"[{each}, {data.draw(small)}]" for each in b]
    if data.draw(st.booleans()):
        rows = ", ".join(f'{{"a": {x}, "b": {y}}}' for x, y in zip(a, b, strict=True))
        body = f'{{"instances": [{rows}]}}'
    else:
        body = f'{{"inputs": {{"b": [{", ".join(b)}], "a": [{", ".join(a)}]}}}}'

    assert_told_alike(servers, "/v1/models/several:predict", body)


@pytest.mark.parametrize(
    "body",
    [
        '{"instances": [1.5, 2]}',
        '{"instances": [1.5, 2], "signature_name": "serving_default"}',
        '{"signature_name": "", "instances": [1.5]}',
        '{"signature_name": "serving\\u005fdefault", "instances": [1.5]}',
        '{"signature_name": "none", "instances": [1.5]}',
        '{"signature_name": 1, "instances": [1.5]}',
        '{"signature_name": "none", "signature_name": "serving_default", "instances": [1.5]}',
        '{"what": "signature_name", "signature_name": "serving_default", "instances": [1.5]}',
        '{"signature_name',
        '{"instances": [1.5], "instances": [2.5]}',
        '{"instances": [1.5], "inputs": [2.5]}',
        '{"instances": [1.5], "more": 1}',
        '{"instances": [{"x": 1.5}, {"x": 2}]}',
        '{"instances": [{"x": 1.5}, 2]}',
        '{"instances": [1.5, {"x": 2}]}',
        '{"instances": [{"x": 1.5, "x": 2}]}',
        '{"instances": [{"x": 1.5, "z": 2}]}',
        '{"instances": [{}]}',
        '{"instances": 1.5}',
        '{"instances": []}',
        '{"inputs": 1.5}',
        '{"inputs": {"x": 1.5}}',
        '{"inputs": {"x": [1.5], "z": 2}}',
        '{"inputs": {"b64": "AAAA"}}',
        '{"inputs": {}}',
        '{"instances": [1.5]} and more',
        '{"instances": [1.5]}\0',
        '\ufeff{"instances": [1.5]}',
        '{"instances": [1.5],}',
        '{"\\u0069nstances": [1.5]}',
        '  {\n"instances"\t:[ 1.5 ] }  ',
        "[1.5]",
        "",
        '{"instances": ' + "[" * 70 + "1" + "]" * 70 + "}",
        '{"instances": ' + "[" * 200 + "1" + "]" * 200 + "}",
        '{"instances": [1e999]}',
        "{}",
    ],
)
def test_what_is_asked_otherwise_is_told_as_by_python(servers, body):
    assert_told_alike(servers, "/v1/models/default:predict", body)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/models/two/versions/1:predict",
        "/v1/models/two/versions/2:predict",
        "/v1/models/two/versions/9:predict",
        "/v1/models/two/labels/canary:predict",
        "/V1/models/two:predict",
        "/v1/models/tw%6f:predict",
        "/v1/models/two:predict?a=1",
        "/v1/models/two:PREDICT",
        "/v1/models/two:classify",
        "/v1/models/nobody:predict",
        "/v1/models/two",
    ],
)
def test_a_path_leads_where_python_says(servers, path):
    assert_told_alike(servers, path, '{"instances": [1.5, -2]}')


def test_what_is_not_finite_has_a_name(servers):
    body = '{"instances": [[1e39, 0], [-1e39, -1e39], [1e39, -1e39]]}'

    assert_told_alike(servers, "/v1/models/product:predict", body)
    _, _, text = told(servers[1], "/v1/models/product:predict", body)
    assert text == b'{\n    "predictions": [[Infinity], [-Infinity], [NaN]\n    ]\n}'


def test_a_run_that_fails_is_told_and_counted_as_by_python(servers):
    failed = re.compile(
        r':tensorflow:serving:request_count{model_name="product",status="INVALID_ARGUMENT"} (\d+)'
        r"|signature_run_count{model_name=\"product\",.*status=\"INVALID_ARGUMENT\"} (\d+)"
    )

    def counts() -> list[list[tuple[str, str]]]:
        return [failed.findall(each.http.get(METRICS).text) for each in servers]

    for _ in range(3):
        assert_told_alike(servers, "/v1/models/product:predict", '{"instances": [[1, 2, 3]]}')
    by_python, by_native = counts()

    assert by_python == [("3", ""), ("", "3")]
    assert by_native == [("6", ""), ("", "6")]


def test_every_request_is_counted_once(servers):
    metrics = (
        ':tensorflow:serving:request_count{model_name="several",status="OK"}',
        'request_latency_count{model_name="several",API="predict",entrypoint="REST"}',
        'signature_run_count{model_name="several",signature="serving_default",status="OK"}',
    )
    native = servers[1]

    def seen() -> list[int]:
        page = native.http.get(METRICS).text
        return [int(re.findall(re.escape(metric) + r" (\d+)", page)[0]) for metric in metrics]

    body = '{"instances": [{"a": 1, "b": [2, 3]}]}'
    told(native, "/v1/models/several:predict", body)
    before, direct = seen(), counted(native, "several")
    for _ in range(60):
        told(native, "/v1/models/several:predict", body)

    assert seen() == [count + 60 for count in before]
    assert counted(native, "several") == direct + 60


def test_quick_requests_are_answered_by_the_threads_that_serve_connections(servers):
    native = servers[1]

    def at_once() -> float:
        before = counted(native, "default", "connection")
        for _ in range(100):
            told(native, "/v1/models/default:predict", '{"instances": [1.5]}')
        return counted(native, "default", "connection") - before

    # A busy machine makes some of them slow, and now and then one as slow as a stall.
    assert any(at_once() > 50 for _ in range(30))


def test_bodies_of_any_size_are_answered_and_large_ones_by_python(servers):
    def direct(count: int) -> float:
        before = counted(servers[1], "default")
        values = ", ".join(str(number % 1000 / 7) for number in range(count))
        assert_told_alike(servers, "/v1/models/default:predict", f'{{"inputs": [{values}]}}')
        return counted(servers[1], "default") - before

    assert [direct(count) for count in (1_000, 40_000, 400_000)] == [2, 2, 0]


def test_a_request_that_takes_long_holds_up_nobody(servers):
    native = servers[1]
    path, body = "/v1/models/slow:predict", '{"inputs": {"x": 1.5, "rounds": 100000}}'
    with ThreadPoolExecutor() as pool:
        long = [pool.submit(told, native, path, body) for _ in range(2)]
        for _ in range(20):
            told(native, "/v1/models/default:predict", '{"instances": [1.5]}')
        were_over = [each.done() for each in long]

    assert were_over == [False, False]
    assert {each.result()[0] for each in long} == {200}


def reload(channel: grpc.Channel, model: str) -> None:
    text = f"config {{ model_config_list {{ {model} }} }}"
    ModelServiceStub(channel).HandleReloadConfigRequest(
        text_format.Parse(text, ReloadConfigRequest())
    )


@pytest.mark.parametrize("has_own_port", [False, True])
def test_the_newest_version_answers_as_soon_as_it_is_there(
    started, model_folders, tmp_path, has_own_port
):
    identity, more = Identity(), {}
    if has_own_port:
        # Certificates of gRPC keep REST from the same native port.
        more["ssl_config_file"] = config_file(tmp_path, identity)
    both = model_config(model_folders / "two")
    running = started(both, transport="native", **more)
    running.http.wait_until_available("two", 1, 2)
    if has_own_port:
        credentials = grpc.ssl_channel_credentials(identity.certificate)
        channel = grpc.secure_channel(running.grpc.target, credentials)
    else:
        channel = running.grpc.channel
    asked = running, "/v1/models/two:predict", '{"instances": [2]}'
    before = told(*asked)

    first = "model_version_policy { specific { versions: 1 } }"
    reload(channel, model_config(model_folders / "two", first))
    running.http.wait_for("/v1/models/two", lambda answer: '"END"' in answer.text)
    between = told(*asked)
    reload(channel, both)
    running.http.wait_until_available("two", 2)

    assert [json.loads(text)["predictions"] for _, _, text in (before, between)] == [[4.0], [3.0]]
    assert told(*asked) == before
    assert counted(running, "two") == 3
