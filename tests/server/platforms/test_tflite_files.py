"""Files that are no sound TensorFlow Lite model are refused with the reason, and end nothing."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from ai_edge_litert.schema_py_generated import TensorType

from model_server.core.errors import Code, ServingError
from model_server.servables.platform import Runtime
from model_server.servables.tflite.model import TfLite
from server.formats import tflite_models as models

PREDICT = "tensorflow/serving/predict"


@pytest.fixture(scope="module")
def load(tmp_path_factory):
    """Loads a model's bytes."""
    folder = tmp_path_factory.mktemp("m")

    def load_it(content, **runtime):
        models.written(folder, content)
        return TfLite(Runtime(**runtime)).load("m", 1, str(folder))

    return load_it


def refusal(call) -> tuple[Code, str]:
    with pytest.raises(ServingError) as raised:
        call()
    return raised.value.code, raised.value.message


def with_unknown_tensor(model):
    definition = models.definition({"x": "nowhere:0"}, {"y": "output"}, PREDICT)
    return models.with_metadata(model, {"serving_default": definition})


def with_broken_metadata(model):
    return models.with_metadata_buffer(model, b"\xff" * 40)


def with_empty_metadata(model):
    return models.with_metadata_buffer(model, b"")


def with_two_tensors_of_a_name(model):
    model.subgraphs[0].tensors[1].name = "list:0"
    return model


def with_tensor_without_name(model):
    model.subgraphs[0].tensors[1].name = None
    return model


def with_unknown_type(model):
    model.subgraphs[0].tensors[0].type = TensorType.INT4
    return model


def with_huge_tensor(model):
    model.subgraphs[0].tensors[0].shape = [2**30, 2**10]
    return model


def with_wrong_index(model):
    model.subgraphs[0].operators[0].inputs = [0, 77]
    return model


def with_wrong_input(model):
    model.subgraphs[0].inputs = [0, 77]
    return model


def without_subgraph(model):
    model.subgraphs = []
    return model


def without_a_list_of_subgraphs(model):
    model.subgraphs = None
    return model


def of_another_schema(model):
    model.version = 4
    return model


def with_newer_operation(model):
    model.operatorCodes[0].version = 99
    return model


def with_custom_operation(model):
    return models.custom(model, "OfSomebodyElse")


def with_parsing_of_nothing(model):
    return models.custom(model, "ParseExampleV2")


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        (with_unknown_tensor, Code.INVALID_ARGUMENT, "Unknown tensor 'nowhere:0'. Signature input"),
        (with_broken_metadata, Code.INVALID_ARGUMENT, "Invalid SignatureDefs found in TfLite"),
        (with_empty_metadata, Code.INVALID_ARGUMENT, "Invalid SignatureDefs found in TfLite"),
        (with_two_tensors_of_a_name, Code.INVALID_ARGUMENT, "list:0 has multiple indices"),
        (with_tensor_without_name, Code.INVALID_ARGUMENT, "Input name missing for tensor index: 1"),
        (with_unknown_type, Code.UNIMPLEMENTED, "list:0 has the unknown TfLite type: INT4"),
        (with_huge_tensor, Code.INVALID_ARGUMENT, "tensor list:0 has shape [1073741824, 1024]"),
        (
            with_wrong_index,
            Code.INVALID_ARGUMENT,
            "no tensor 77, which is named as operator's input",
        ),
        (
            with_wrong_input,
            Code.INVALID_ARGUMENT,
            "The TfLite model is not sound: there is no tensor 77",
        ),
        (without_subgraph, Code.DATA_LOSS, "No subgraph"),
        (without_a_list_of_subgraphs, Code.INVALID_ARGUMENT, "ends a process that loads it"),
        (of_another_schema, Code.DATA_LOSS, "schema version 4"),
        (with_newer_operation, Code.UNIMPLEMENTED, "RESHAPE' version '99'"),
        (with_custom_operation, Code.UNIMPLEMENTED, "OfSomebodyElse"),
        (with_parsing_of_nothing, Code.INVALID_ARGUMENT, "Cannot load the TFLite model"),
    ],
)
def test_a_model_that_cannot_be_served_is_refused_with_the_reason(load, change, code, words):
    found, message = refusal(lambda: load(models.packed(change(models.reshape()))))

    assert found is code
    assert words in message


def test_operations_of_tensorflow_are_named(load):
    code, message = refusal(lambda: load(models.with_operation_of_tensorflow()))

    assert code is Code.UNIMPLEMENTED
    assert "operations of TensorFlow: Identity, StringLower" in message


@pytest.mark.parametrize("twentieths", range(20))
def test_a_truncated_file_may_be_on_its_way(load, twentieths):
    whole = models.half_plus_two()

    code, message = refusal(lambda: load(whole[: len(whole) * twentieths // 20]))

    assert code is Code.DATA_LOSS
    assert "model.tflite" in message


def test_a_folder_without_a_model_is_refused(tmp_path):
    code, message = refusal(lambda: TfLite(Runtime()).load("m", 1, str(tmp_path)))

    assert (code, message) == (Code.NOT_FOUND, f"there is no model.tflite in {tmp_path}")


def test_a_file_that_changes_in_place_does_not_change_what_is_served(tmp_path):
    models.written(tmp_path, models.half_plus_two())
    servable = TfLite(Runtime(tflite_pools=2)).load("m", 1, str(tmp_path))
    (signature,) = servable.signatures.values()
    (tmp_path / "model.tflite").write_bytes(b"")
    x = np.ones((1, 1), np.float32)

    with ThreadPoolExecutor(4) as threads:
        answers = list(
            threads.map(lambda _: servable.run(signature, {"x": x}, ["y"])[0].item(), range(40))
        )

    assert answers == [2.5] * 40


def test_files_with_changed_bytes_end_no_process(tmp_path):
    # Not in this process: what such a model may do to memory must not reach other tests.
    ran = subprocess.run(
        [sys.executable, "-m", "server.platforms.changed_tflite", str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=300,
    )

    assert (ran.returncode, ran.stdout) == (0, "150 models tried\n"), ran.stderr
