"""The platform ``onnx`` serves a graph's inputs and outputs, and tells what is wrong with them."""

import numpy as np
import pytest
from onnx import TensorProto, helper

from model_server.core.errors import Code, ServingError
from model_server.servables.onnx_model import Onnx
from model_server.servables.platform import Runtime
from server import onnx_models


@pytest.fixture
def platform():
    return Onnx(Runtime(intra_op_threads=1))


def ask(servable, outputs=("y",), **inputs):
    return servable.run(servable.signatures["serving_default"], inputs, outputs)


def refusal(call) -> tuple[Code, str]:
    with pytest.raises(ServingError) as raised:
        call()
    return raised.value.code, raised.value.message


def test_a_graph_is_served(platform, tmp_path):
    servable = platform.load("m", 1, str(onnx_models.half_plus_two(tmp_path)))

    (y,) = ask(servable, x=np.array([2.0, 4.0], np.float32))

    assert y.tolist() == [3.0, 4.0]


def test_the_signature_has_the_graphs_types_and_shapes(platform, tmp_path):
    onnx_models.identity(tmp_path, TensorProto.INT64, ["n", 2, "m"])

    (signature,) = platform.load("m", 1, str(tmp_path)).signatures.values()

    spec = signature.inputs["x"]
    assert (signature.name, spec.dtype.name, spec.shape) == (
        "serving_default",
        "int64",
        (-1, 2, -1),
    )
    assert signature.outputs["y"].shape == (-1, 2, -1)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (TensorProto.FLOAT, np.array([1.5], np.float32)),
        (TensorProto.DOUBLE, np.array([1e300])),
        (TensorProto.FLOAT16, np.array([0.5], np.float16)),
        (TensorProto.INT8, np.array([-128], np.int8)),
        (TensorProto.INT16, np.array([-(2**15)], np.int16)),
        (TensorProto.INT32, np.array([-(2**31)], np.int32)),
        (TensorProto.INT64, np.array([-(2**63)], np.int64)),
        (TensorProto.UINT8, np.array([255], np.uint8)),
        (TensorProto.UINT16, np.array([2**16 - 1], np.uint16)),
        (TensorProto.UINT32, np.array([2**32 - 1], np.uint32)),
        (TensorProto.UINT64, np.array([2**64 - 1], np.uint64)),
        (TensorProto.BOOL, np.array([True, False])),
        (TensorProto.STRING, np.array([b"", "é".encode()], object)),
        (TensorProto.FLOAT, np.array(1.5, np.float32)),
        (TensorProto.STRING, np.array(b"a\0b", object)),
        (TensorProto.STRING, np.array([[b"a"], [b"b"]], object)),
        (TensorProto.FLOAT, np.ones((0, 3), np.float32)),
    ],
)
def test_every_type_and_rank_passes_unchanged(platform, tmp_path, kind, values):
    onnx_models.identity(tmp_path, kind)

    (y,) = ask(platform.load("m", 1, str(tmp_path)), x=values)

    assert (y.dtype, y.shape) == (values.dtype, values.shape)
    np.testing.assert_array_equal(y, values)


def test_only_the_outputs_asked_for_are_given_in_that_order(platform, tmp_path):
    float_, value, node = TensorProto.FLOAT, onnx_models.value, onnx_models.node
    onnx_models.graph(
        tmp_path,
        nodes=[node("Neg", ["x"], ["a"]), node("Abs", ["x"], ["b"]), node("Sign", ["x"], ["c"])],
        inputs=[value("x", float_, None)],
        outputs=[value(name, float_, None) for name in "abc"],
    )

    found = ask(
        platform.load("m", 1, str(tmp_path)), outputs=["c", "a"], x=np.array([-2.0], np.float32)
    )

    assert [array.tolist() for array in found] == [[-1.0], [2.0]]


def test_an_input_of_another_shape_is_refused(platform, tmp_path):
    servable = platform.load("m", 1, str(onnx_models.half_plus_two(tmp_path)))

    told = refusal(lambda: ask(servable, x=np.ones((1, 1), np.float32)))

    assert told == (Code.INVALID_ARGUMENT, "input x must have shape [?], but has [1,1]")


def test_a_string_that_is_no_text_is_refused(platform, tmp_path):
    servable = platform.load("m", 1, str(onnx_models.identity(tmp_path, TensorProto.STRING)))

    told = refusal(lambda: ask(servable, x=np.array([b"\xff"], object)))

    assert told == (Code.INVALID_ARGUMENT, "input x has a string that is not UTF-8")


def test_what_fails_inside_the_graph_is_internal_and_told(platform, tmp_path):
    float_, value, node = TensorProto.FLOAT, onnx_models.value, onnx_models.node
    onnx_models.graph(
        tmp_path,
        nodes=[node("MatMul", ["x", "w"], ["y"])],
        inputs=[value("x", float_, None)],
        outputs=[value("y", float_, None)],
        constants=[helper.make_tensor("w", float_, [2, 1], [1.0, 1.0])],
    )

    code, message = refusal(
        lambda: ask(platform.load("m", 1, str(tmp_path)), x=np.ones((1, 3), np.float32))
    )

    assert code is Code.INTERNAL
    assert message.startswith("Non-zero status code returned while running MatMul node")


@pytest.mark.parametrize("content", [b"", b"garbage"])
def test_a_file_that_is_no_graph_may_become_one(platform, tmp_path, content):
    (tmp_path / "model.onnx").write_bytes(content)

    code, message = refusal(lambda: platform.load("m", 1, str(tmp_path)))

    assert code is Code.DATA_LOSS
    assert message.startswith(f"Cannot load the ONNX graph {tmp_path / 'model.onnx'}: ")


@pytest.mark.parametrize("missing", [1, 20, 100])
def test_a_truncated_graph_may_still_be_copied(platform, tmp_path, missing):
    file = onnx_models.half_plus_two(tmp_path) / "model.onnx"
    file.write_bytes(file.read_bytes()[:-missing])

    code, _ = refusal(lambda: platform.load("m", 1, str(tmp_path)))

    assert code is Code.DATA_LOSS


@pytest.mark.parametrize("named", ["absent.bin", "short.bin"])
def test_weights_may_still_be_copied(platform, tmp_path, named):
    onnx_models.with_external_weight(tmp_path, named)
    (tmp_path / "short.bin").write_bytes(b"\0\0")

    code, _ = refusal(lambda: platform.load("m", 1, str(tmp_path)))

    assert code is Code.DATA_LOSS


@pytest.mark.parametrize(
    ("node", "part"),
    [
        (onnx_models.node("NoSuchOp", ["x"], ["y"]), "No Op registered for NoSuchOp"),
        (onnx_models.node("Add", ["x", "z"], ["y"]), "Node input 'z' is not a graph input"),
        (onnx_models.node("Foo", ["x"], ["y"], domain="com.acme"), "'com.acme'"),
    ],
)
def test_a_graph_that_cannot_run_is_told_at_once(platform, tmp_path, node, part):
    value = onnx_models.value
    onnx_models.graph(
        tmp_path,
        nodes=[node],
        inputs=[value("x", TensorProto.FLOAT, ["n"])],
        outputs=[value("y", TensorProto.FLOAT, ["n"])],
    )

    code, message = refusal(lambda: platform.load("m", 1, str(tmp_path)))

    assert code is Code.INVALID_ARGUMENT
    assert part in message


def test_an_output_that_is_no_tensor_is_refused_by_name(platform, tmp_path):
    sequence = helper.make_tensor_sequence_value_info("s", TensorProto.FLOAT, None)
    onnx_models.graph(
        tmp_path,
        nodes=[onnx_models.node("SequenceConstruct", ["x"], ["s"])],
        inputs=[onnx_models.value("x", TensorProto.FLOAT, None)],
        outputs=[sequence],
    )

    assert refusal(lambda: platform.load("m", 1, str(tmp_path))) == (
        Code.UNIMPLEMENTED,
        "output s of the ONNX graph is a seq(tensor(float)), which cannot be served",
    )


def test_weights_may_lie_in_a_file_of_their_own(platform, tmp_path):
    onnx_models.with_external_weight(tmp_path, "weights.bin")
    (tmp_path / "weights.bin").write_bytes(np.array([3.0], np.float32).tobytes())

    (y,) = ask(platform.load("m", 1, str(tmp_path)), x=np.array([1.0], np.float32))

    assert y.tolist() == [4.0]


def test_a_graph_reads_no_weights_outside_its_folder(platform, tmp_path):
    folder = onnx_models.with_external_weight(tmp_path / "1", "../weights.bin")
    (tmp_path / "weights.bin").write_bytes(np.array([3.0], np.float32).tobytes())

    code, message = refusal(lambda: platform.load("m", 1, str(folder)))

    assert code is Code.INVALID_ARGUMENT
    assert "escapes model directory" in message


def test_a_folder_without_the_file_is_refused(platform, tmp_path):
    told = refusal(lambda: platform.load("m", 1, str(tmp_path)))

    assert told == (Code.NOT_FOUND, f"there is no model.onnx in {tmp_path}")
