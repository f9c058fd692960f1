"""The platform ``python`` runs a user's class, and its mistakes become clear statuses."""

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from model_server.core.errors import Code, ServingError
from model_server.servables.platform import Runtime
from model_server.servables.python.model import Python
from model_server.servables.signature import CLASSIFY, PREDICT

HALF_PLUS_TWO = """
class Model:
    signatures = {
        "serving_default": {"inputs": {"x": ("float32", [None])}, "outputs": {"y": "float32"}}
    }
    def predict(self, inputs, signature):
        return {"y": inputs["x"] / 2 + 2}
"""
ONE_OUTPUT = """
import numpy as np
class Model:
    signatures = {"serving_default": {"inputs": {"x": "float32"}, "outputs": {"y": %s}}}
    def predict(self, inputs, signature):
        return %s
"""


@pytest.fixture
def load(tmp_path):
    """Loads a text as model.py of tmp_path, until the test ends."""
    platform, servables = Python(Runtime()), []

    def load(text: str):
        (tmp_path / "model.py").write_text(text)
        servables.append(platform.load("m", 1, str(tmp_path)))
        return servables[-1]

    yield load
    for servable in servables:
        platform.unload(servable)


def predict(servable, x, outputs=("y",)):
    signature = servable.signatures["serving_default"]
    return servable.run(signature, {"x": np.array(x, np.float32)}, outputs)


def refusal(call) -> tuple[Code, str]:
    with pytest.raises(ServingError) as raised:
        call()
    return raised.value.code, raised.value.message


def test_a_class_is_served(load):
    (y,) = predict(load(HALF_PLUS_TWO), [2.0, 4.0])

    np.testing.assert_array_equal(y, np.array([3.0, 4.0], np.float32))
    assert y.dtype == np.float32


def test_signatures_say_types_shapes_and_methods(load):
    servable = load("""
class Model:
    def load(self, folder):
        self.signatures = {
            "both": {
                "inputs": {"a": "string", "b": ("int64", [None, 2]), "c": ("bfloat16", [])},
                "outputs": {},
            },
            "classes": {"inputs": {}, "outputs": {}, "method": "classify"},
        }
    def predict(self, inputs, signature): ...
""")

    both, classes = servable.signatures["both"], servable.signatures["classes"]
    shown = {alias: (spec.dtype.name, spec.shape) for alias, spec in both.inputs.items()}
    assert shown == {"a": ("string", None), "b": ("int64", (-1, 2)), "c": ("bfloat16", ())}
    assert (both.method_name, classes.method_name) == (PREDICT, CLASSIFY)


def test_load_is_given_the_folder_and_files_beside_the_model_can_be_imported(load, tmp_path):
    (tmp_path / "weights.txt").write_text("7")
    (tmp_path / "extra.py").write_text("ADDEND = 100")
    servable = load("""
from . import extra
class Model:
    signatures = {"serving_default": {"inputs": {"x": "float32"}, "outputs": {"y": "float32"}}}
    def load(self, folder):
        self.weight = int((folder / "weights.txt").read_text())
    def predict(self, inputs, signature):
        return {"y": inputs["x"] * self.weight + extra.ADDEND}
""")

    assert predict(servable, [1.0])[0].tolist() == [107.0]


def test_versions_do_not_share_modules_and_leave_none_behind(tmp_path):
    platform, servables = Python(Runtime()), []
    for version in ("1", "2"):
        folder = tmp_path / version
        folder.mkdir()
        (folder / "extra.py").write_text(f"ADDEND = {version}")
        (folder / "model.py").write_text(
            "from .extra import ADDEND" + HALF_PLUS_TWO.replace("+ 2", "+ ADDEND")
        )
        servables.append(platform.load("m", int(version), str(folder)))

    answers = [predict(servable, [0.0])[0].tolist() for servable in servables]
    for servable in servables:
        platform.unload(servable)

    assert answers == [[1.0], [2.0]]
    assert [name for name in sys.modules if name.startswith("_modelfleet_model")] == []


def test_a_version_replaced_in_place_is_read_again_and_nothing_is_written(load, tmp_path):
    first = predict(load(HALF_PLUS_TWO), [0.0])[0].tolist()

    second = predict(load(HALF_PLUS_TWO.replace("+ 2", "+ 3")), [0.0])[0].tolist()

    assert (first, second) == ([2.0], [3.0])
    assert list(tmp_path.iterdir()) == [tmp_path / "model.py"]


def test_a_model_may_write_to_its_inputs(load):
    servable = load(HALF_PLUS_TWO.replace("return", 'inputs["x"] += 2; return'))
    x = np.frombuffer(np.array([2.0], np.float32).tobytes(), np.float32)

    (y,) = servable.run(servable.signatures["serving_default"], {"x": x}, ["y"])

    assert (y.tolist(), x.tolist()) == ([4.0], [2.0])


@pytest.mark.parametrize(
    ("declared", "returned", "found"),
    [
        ('"float32"', '{"y": [1, 2]}', np.array([1, 2], np.float32)),
        ('"float32"', '{"y": 1.5}', np.array(1.5, np.float32)),
        ('"int32"', '{"y": [1, 2]}', np.array([1, 2], np.int32)),
        ('"int32"', '{"y": []}', np.array([], np.int32)),
        ('"half"', '{"y": np.ones(2)}', np.ones(2, np.float16)),
        ('"string"', '{"y": ["a", b"\\xff"]}', np.array([b"a", b"\xff"], object)),
        ('"string"', '{"y": np.array(["é"])}', np.array(["é".encode()], object)),
        ('"bool"', '{"y": inputs["x"] > 0}', np.array([True])),
        ('"float32"', '{"y": inputs["x"], "unasked": None}', np.array([1], np.float32)),
    ],
)
def test_what_predict_returns_becomes_the_declared_type(load, declared, returned, found):
    (y,) = predict(load(ONE_OUTPUT % (declared, returned)), [1.0])

    assert y.dtype == found.dtype
    np.testing.assert_array_equal(y, found)


@pytest.mark.parametrize(
    ("declared", "returned", "problem"),
    [
        ('"float32"', "None", "predict returned a NoneType instead of a dict"),
        ('"float32"', '{"z": 1}', "predict returned no output y"),
        ('"int32"', '{"y": 1.5}', "unfit output y: its type is double instead of int32"),
        ('"int32"', '{"y": [2**40]}', "unfit output y: it has numbers beyond int32"),
        ('"float32"', '{"y": "a"}', "unfit output y: its type is <U1 instead of float"),
        ('"string"', '{"y": [1]}', "unfit output y: it has a int where strings are due"),
        ('"float32"', '{"y": [[1], [1, 2]]}', "unfit output y: setting an array element"),
        (
            '("float32", [None, 2])',
            '{"y": [[1]]}',
            "unfit output y: its shape is [1,1] instead of [?,2]",
        ),
    ],
)
def test_an_answer_that_is_not_as_declared_is_an_internal_error(load, declared, returned, problem):
    servable = load(ONE_OUTPUT % (declared, returned))

    code, message = refusal(lambda: predict(servable, [1.0]))

    assert code is Code.INTERNAL
    assert problem in message


@pytest.mark.parametrize(
    ("statement", "code", "message"),
    [
        ('raise ValueError("x is odd")', Code.INVALID_ARGUMENT, "x is odd"),
        ('raise KeyError("w")', Code.INTERNAL, "predict raised KeyError: 'w' (line 5)"),
        ("1 / 0", Code.INTERNAL, "predict raised ZeroDivisionError: division by zero (line 5)"),
        ("raise MemoryError", Code.INTERNAL, "predict raised MemoryError (line 5)"),
        ("raise SystemExit(3)", Code.INTERNAL, "predict raised SystemExit: 3 (line 5)"),
    ],
)
def test_what_predict_raises_is_told(load, statement, code, message):
    text = f"""
class Model:
    signatures = {{"serving_default": {{"inputs": {{"x": "float"}}, "outputs": {{"y": "float"}}}}}}
    def predict(self, inputs, signature):
        {statement}
"""
    servable = load(text)

    assert refusal(lambda: predict(servable, [1.0])) == (code, message)


def test_an_input_of_another_shape_does_not_reach_the_model(load):
    servable = load(HALF_PLUS_TWO)

    told = refusal(lambda: predict(servable, [[1.0]]))

    assert told == (Code.INVALID_ARGUMENT, "input x must have shape [?], but has [1,1]")


@pytest.mark.parametrize(("concurrent", "met"), [(False, 0.0), (True, 1.0)])
def test_calls_run_side_by_side_only_if_the_class_says_so(load, concurrent, met):
    servable = load(f"""
import threading
class Model:
    signatures = {{"serving_default": {{"inputs": {{"x": "float"}}, "outputs": {{"y": "float"}}}}}}
    concurrent = {concurrent}
    both = threading.Barrier(2)
    def predict(self, inputs, signature):
        try:
            self.both.wait({60 if concurrent else 0.1})
            return {{"y": 1}}
        except threading.BrokenBarrierError:
            return {{"y": 0}}
""")

    with ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(lambda x: predict(servable, x), [1.0, 2.0]))

    assert [y.tolist() for (y,) in answers] == [met, met]


SIGNED = 'class Model:\n    signatures = {"s": %s}\n    def predict(self, i, s): ...'


@pytest.mark.parametrize(
    ("text", "code", "problem"),
    [
        ("import no_such_module", Code.INTERNAL, "importing it raised ModuleNotFoundError: "),
        ("class", Code.INTERNAL, "importing it raised SyntaxError: "),
        ("raise SystemExit", Code.INTERNAL, "importing it raised SystemExit (line 1)"),
        ("", Code.INVALID_ARGUMENT, " must have a class Model with a method predict("),
        ("class Model: ...", Code.INVALID_ARGUMENT, " must have a class Model with a method pre"),
        (
            "class Model:\n    predict = print\n    def __init__(self, a): ...",
            Code.INTERNAL,
            "Model() raised TypeError: ",
        ),
        (
            "class Model:\n    predict = print\n    def load(self, folder):\n        1 / 0",
            Code.INTERNAL,
            "load raised ZeroDivisionError: division by zero (line 4)",
        ),
        (
            "class Model:\n    predict = print",
            Code.INVALID_ARGUMENT,
            "signatures must be a dict with an item for each signature",
        ),
        (SIGNED % 1, Code.INVALID_ARGUMENT, "signatures['s'] must be a dict with inputs, outputs"),
        (
            SIGNED % '{"inputs": [], "outputs": {}}',
            Code.INVALID_ARGUMENT,
            "signatures['s']['inputs'] must be a dict of names to types",
        ),
        (
            SIGNED % '{"inputs": {"x": "float33"}, "outputs": {}}',
            Code.INVALID_ARGUMENT,
            "signatures['s']['inputs']['x']: there is no type 'float33'; try float32 or string",
        ),
        (
            SIGNED % '{"inputs": {"x": ("float32", 2)}, "outputs": {}}',
            Code.INVALID_ARGUMENT,
            "signatures['s']['inputs']['x']: a shape is a list of sizes, None for any size",
        ),
        (
            SIGNED % '{"inputs": {}, "outputs": {}, "method": "guess"}',
            Code.INVALID_ARGUMENT,
            "signatures['s']['method'] must be one of predict, classify, regress",
        ),
    ],
)
def test_a_file_that_cannot_be_served_says_why_and_is_forgotten(
    load, tmp_path, text, code, problem
):
    told, message = refusal(lambda: load(text))

    assert told is code
    assert message.startswith(str(tmp_path / "model.py"))
    assert problem in message
    assert [name for name in sys.modules if name.startswith("_modelfleet_model")] == []


def test_a_folder_without_the_file_is_refused(tmp_path):
    told = refusal(lambda: Python(Runtime()).load("m", 1, str(tmp_path)))

    assert told == (Code.NOT_FOUND, f"there is no model.py in {tmp_path}")


def test_an_unload_that_fails_hurts_nobody(tmp_path):
    text = HALF_PLUS_TWO + (
        "    def unload(self):\n"
        f'        open({str(tmp_path / "unloaded")!r}, "w").close()\n'
        "        1 / 0\n"
    )

    (tmp_path / "model.py").write_text(text)
    platform = Python(Runtime())

    platform.unload(platform.load("m", 1, str(tmp_path)))

    assert (tmp_path / "unloaded").exists()
