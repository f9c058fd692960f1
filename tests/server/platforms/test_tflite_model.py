"""The platform ``tflite`` runs what a flatbuffer offers, for inputs of every shape and type."""

import resource
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.schema_py_generated import TensorType
from hypothesis import given, settings
from hypothesis import strategies as st

from model_server.core.errors import Code, ServingError
from model_server.servables.platform import Runtime
from model_server.servables.tflite.model import TfLite
from server.formats import tflite_models as models

PREDICT = "tensorflow/serving/predict"
CLASSIFY = "tensorflow/serving/classify"

TYPES = [
    (TensorType.FLOAT16, "half", np.float16),
    (TensorType.FLOAT32, "float", np.float32),
    (TensorType.FLOAT64, "double", np.float64),
    (TensorType.INT8, "int8", np.int8),
    (TensorType.INT16, "int16", np.int16),
    (TensorType.INT32, "int32", np.int32),
    (TensorType.INT64, "int64", np.int64),
    (TensorType.UINT8, "uint8", np.uint8),
    (TensorType.UINT16, "uint16", np.uint16),
    (TensorType.UINT32, "uint32", np.uint32),
    (TensorType.UINT64, "uint64", np.uint64),
    (TensorType.BOOL, "bool", np.bool_),
    (TensorType.COMPLEX64, "complex64", np.complex64),
    (TensorType.COMPLEX128, "complex128", np.complex128),
]


@pytest.fixture
def load(tmp_path):
    """Loads a model's bytes."""

    def load_it(content, **runtime):
        models.written(tmp_path, content)
        return TfLite(Runtime(**runtime)).load("m", 1, str(tmp_path))

    return load_it


@pytest.fixture(scope="module")
def halving(tmp_path_factory):
    """Half of x, and two, on two interpreters."""
    folder = models.written(tmp_path_factory.mktemp("m"), models.half_plus_two())
    return TfLite(Runtime(tflite_pools=2)).load("m", 1, str(folder))


def ask(servable, name="serving_default", outputs=None, **inputs):
    signature = servable.signatures[name]
    found = servable.run(signature, inputs, outputs or list(signature.outputs))
    return found[0] if len(found) == 1 else found


def refusal(call) -> tuple[Code, str]:
    with pytest.raises(ServingError) as raised:
        call()
    return raised.value.code, raised.value.message


def reshaped(servable, values, shape):
    return ask(servable, list=values, shape=np.array(shape, np.int32))


@pytest.mark.parametrize(
    ("shape", "answer"),
    [((1, 1), (1, 1)), ((3, 1), (3, 1)), ((0, 1), (0, 1)), ((2,), (2,)), ((2, 3), (2, 3))],
)
def test_inputs_of_any_shape_that_the_model_takes_are_run(halving, shape, answer):
    x = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)

    y = ask(halving, x=x)

    assert y.shape == answer
    np.testing.assert_array_equal(y, 0.5 * x + 2)


@given(st.lists(st.lists(st.floats(-1e3, 1e3, width=32), min_size=1, max_size=4), min_size=1))
@settings(max_examples=20)
def test_answers_of_threads_that_share_interpreters_are_never_mixed(halving, requests):
    inputs = [np.array(values, np.float32)[:, None] for values in requests]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda x: ask(halving, x=x), inputs * 4))

    for x, y in zip(inputs * 4, answers, strict=True):
        np.testing.assert_array_equal(y, 0.5 * x + 2)


def test_an_answer_stays_as_it_was_given(halving):
    first = ask(halving, x=np.array([[2.0]], np.float32))
    ask(halving, x=np.array([[8.0]], np.float32))

    assert first.tolist() == [[3.0]]


@pytest.mark.parametrize(("kind", "name", "dtype"), TYPES, ids=[name for _, name, _ in TYPES])
def test_numbers_of_every_type_come_out_as_they_went_in(load, kind, name, dtype):
    servable = load(models.packed(models.reshape(kind)))
    values = np.array([0, 1, 1, 0, 1, 1]).astype(dtype)

    output = reshaped(servable, values, [2, 3])

    assert servable.signatures["serving_default"].inputs["list"].dtype.name == name
    assert output.dtype == dtype
    assert output.tolist() == values.reshape(2, 3).tolist()
    assert reshaped(servable, values[:0], [0, 3]).shape == (0, 3)


def test_strings_may_be_any_bytes(load):
    servable = load(models.packed(models.reshape(TensorType.STRING)))
    values = np.array([b"a", b"", b"\0b\0", b"\xff", b"c" * 10_000, b"e"], object)

    assert reshaped(servable, values, [3, 2]).tolist() == values.reshape(3, 2).tolist()
    assert reshaped(servable, values[::-2], [3]).tolist() == [b"e", b"\xff", b""]
    assert reshaped(servable, values[:0], [0]).shape == (0,)


def test_quantised_numbers_are_the_models_own(load):
    servable = load(models.quantised())

    y = ask(servable, x=np.zeros((3, 4), np.int8))

    assert y.dtype == np.int8
    assert y.shape == (3, 2)


def test_each_signature_has_its_inputs_and_may_have_outputs_of_any_length(load):
    servable = load(models.two_signatures())
    x = np.array([1, -1, 3, 0, 5], np.float32)

    assert ask(servable, "positive", x=x).tolist() == [1, 3, 5]
    assert ask(servable, "half", x=x[:2, None]).tolist() == [[2.5], [1.5]]
    assert ask(servable, "positive", x=-x).tolist() == [1]
    assert ask(servable, "positive", x=x[:0]).shape == (0,)


def test_shapes_that_the_model_refuses_leave_it_as_it_was(load):
    servable = load(models.quantised(), tflite_pools=1)

    code, message = refusal(lambda: ask(servable, x=np.zeros((1, 5), np.int8)))

    assert code is Code.INVALID_ARGUMENT
    assert "does not take inputs of shape [1, 5]" in message
    assert ask(servable, x=np.zeros((1, 4), np.int8)).shape == (1, 2)


def test_what_fails_inside_the_model_is_told(load):
    servable = load(models.packed(models.reshape()), tflite_pools=1)

    code, message = refusal(lambda: reshaped(servable, np.ones(4, np.float32), [3]))

    assert code is Code.INTERNAL
    assert message.startswith("Failed to invoke TfLite interpreter: ")
    assert reshaped(servable, np.ones(4, np.float32), [2, 2]).shape == (2, 2)


def test_calls_wait_for_an_interpreter(load):
    servable = load(models.half_plus_two(), tflite_pools=1)
    all_there = threading.Barrier(6)

    def call(number):
        all_there.wait(180)
        return ask(servable, x=np.full((1000, 1), number, np.float32))[999, 0]

    with ThreadPoolExecutor(6) as threads:
        assert list(threads.map(call, range(0, 12, 2))) == [2, 3, 4, 5, 6, 7]


def test_state_is_kept_by_the_one_interpreter_of_a_load(load):
    servable = load(models.counting(), tflite_pools=1)

    assert [ask(servable, x=np.float32(x)).item() for x in (1, 2, 4)] == [1, 3, 7]
    assert ask(load(models.counting(), tflite_pools=1), x=np.float32(8)).item() == 8


def test_a_model_without_signatures_is_asked_by_its_tensors(load):
    servable = load(models.packed(models.reshape()))

    definition = servable.signature_defs["serving_default"]

    assert definition.method_name == PREDICT
    assert {alias: info.name for alias, info in definition.inputs.items()} == {
        "list": "list:0",
        "shape": "shape:0",
    }
    assert [dim.size for dim in definition.outputs["output"].tensor_shape.dim] == [1]


def test_signature_defs_of_the_metadata_come_before_everything(load):
    classify = models.definition({"in": "list:0", "to": "shape:0"}, {"scores": "output"}, CLASSIFY)
    part = models.definition({"to": "shape:0"}, {"scores": "output"}, PREDICT)
    # As converters of TensorFlow 1 leave it: only the tensors' names have lost their ":0".
    model = models.reshape()
    model.subgraphs[0].tensors[2].name = "output"
    classify.outputs["scores"].name = "output:0"
    servable = load(models.packed(models.with_metadata(model, {"c": classify, "p": part})))

    assert servable.signatures["c"].method_name == CLASSIFY
    assert servable.signature_defs["c"].outputs["scores"].name == "output"
    scores = ask(servable, "c", **{"in": np.ones(2, np.float32)}, to=np.array([2, 1], np.int32))
    assert scores.tolist() == [[1], [1]]


def test_inputs_that_a_signature_leaves_out_hold_nothing_of_another_call(load):
    inputs = {"list": "list:0", "shape": "shape:0"}
    both = models.definition(inputs, {"output": "output:0"}, PREDICT)
    part = models.definition({"shape": "shape:0"}, {"output": "output:0"}, PREDICT)
    metadata = models.with_metadata(models.reshape(), {"both": both, "part": part})
    servable = load(models.packed(metadata), tflite_pools=1)
    shape = np.array([1], np.int32)

    ask(servable, "both", list=np.full(1, 7, np.float32), shape=shape)

    assert ask(servable, "part", shape=shape).tolist() == [0]


def resident() -> int:
    """The bytes of this process that are in memory."""
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * resource.getpagesize()


def test_memory_comes_back_after_unload(tmp_path):
    platform = TfLite(Runtime(tflite_interpreters_per_pool=500))
    content = models.heavy()
    models.written(tmp_path, content)

    def serve_once():
        servable = platform.load("m", 1, str(tmp_path))
        ask(servable, x=np.ones((2, models.WIDTH), np.float32))
        platform.unload(servable)

    serve_once()
    before = resident()
    for _ in range(20):
        serve_once()

    # The allocator keeps some, but not each time.
    assert resident() - before < 10 * len(content)
