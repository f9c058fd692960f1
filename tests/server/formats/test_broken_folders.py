"""A folder that is not whole, or not one model's, is refused with the file or name to look at."""

import shutil
import threading

import numpy as np
import pytest
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from model_server.core.errors import Code, ServingError
from model_server.servables.retrying import may_pass
from server.formats import object_models


def rewrite(folder, change):
    saved = SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    change(saved.meta_graphs[0].graph_def)
    (folder / "saved_model.pb").write_bytes(saved.SerializeToString())


def without_a_shard(folder):
    object_models.sharded(folder)
    (folder / "variables" / "variables.data-00001-of-00003").unlink()


def without_its_index(folder):
    object_models.vector(folder, 3)
    (folder / "variables" / "variables.index").unlink()


def with_a_short_index(folder):
    object_models.vector(folder, 3)
    file = folder / "variables" / "variables.index"
    file.write_bytes(file.read_bytes()[:30])


def with_a_changed_byte(folder):
    object_models.vector(folder, 3)
    file = folder / "variables" / "variables.data-00000-of-00001"
    content = bytearray(file.read_bytes())
    content[3] ^= 0xFF
    file.write_bytes(content)


def without_an_asset(folder):
    object_models.lookup(folder)
    (folder / "assets" / "vocabulary.txt").unlink()


def with_a_folder_for_a_file(folder):
    object_models.vector(folder, 3)
    (folder / "saved_model.pb").unlink()
    (folder / "saved_model.pb").mkdir()


def with_an_unknown_op_in_a_function(folder):
    object_models.nested(folder)

    def add(graph):
        for function in graph.library.function:
            if "while_body" in function.signature.name:
                function.node_def.add(name="n", op="NoSuchOp")

    rewrite(folder, add)


def with_an_unknown_input(folder):
    object_models.vector(folder, 3)
    rewrite(folder, lambda graph: graph.node[0].input.append("nowhere"))


def with_an_unknown_op_that_nothing_runs(folder):
    object_models.nested(folder)

    def add(graph):
        graph.library.function.add().signature.name = "unused"
        graph.library.function[-1].node_def.add(name="n", op="NoSuchOp")

    rewrite(folder, add)


def with_two_nodes_of_a_name(folder):
    object_models.vector(folder, 3)
    rewrite(folder, lambda graph: graph.node.add().CopyFrom(graph.node[0]))


MAY_PASS = [
    (without_a_shard, Code.NOT_FOUND, "variables.data-00001-of-00003"),
    (without_its_index, Code.NOT_FOUND, "Failed to find any matching files"),
    (with_a_short_index, Code.UNKNOWN, "too short to be an sstable"),
    (with_a_changed_byte, Code.DATA_LOSS, "Checksum does not match"),
    (without_an_asset, Code.NOT_FOUND, "assets/vocabulary.txt; No such file"),
]
FINAL = [
    (with_a_folder_for_a_file, Code.FAILED_PRECONDITION, "saved_model.pb; Is a directory"),
    (with_an_unknown_op_in_a_function, Code.NOT_FOUND, "not registered 'NoSuchOp'"),
    (with_an_unknown_input, Code.INVALID_ARGUMENT, "nowhere"),
    (with_two_nodes_of_a_name, Code.INVALID_ARGUMENT, ""),
]


def refusal(load, folder) -> ServingError:
    with pytest.raises(ServingError) as raised:
        load(folder)
    return raised.value


@pytest.mark.parametrize(("make", "code", "words"), MAY_PASS)
def test_what_may_be_on_its_way_is_refused_for_now(load, tmp_path, make, code, words):
    make(tmp_path / "1")

    error = refusal(load, tmp_path / "1")

    assert error.code is code
    assert words in error.message
    assert "Graph execution error" not in error.message
    assert may_pass(error)


@pytest.mark.parametrize(("make", "code", "words"), FINAL)
def test_what_stays_as_it_is_is_refused_for_good(load, tmp_path, make, code, words):
    make(tmp_path / "1")

    error = refusal(load, tmp_path / "1")

    assert error.code is code
    assert words in error.message
    assert not may_pass(error)


def test_an_unknown_operation_that_nothing_runs_does_no_harm(load, tmp_path):
    with_an_unknown_op_that_nothing_runs(tmp_path / "1")

    servable = load(tmp_path / "1")

    signature = servable.signatures["serving_default"]
    assert servable.run(signature, {"x": np.array(5, np.int32)}, ["y"])[0] == 120


def test_a_folder_that_is_replaced_during_loads_is_one_model_or_refused(load, tmp_path):
    """One model adds 0, 1, 2, the other 0, 1: whatever loads answers as one of them."""
    object_models.vector(tmp_path / "three", 3)
    object_models.vector(tmp_path / "two", 2)
    served = tmp_path / "1"
    shutil.copytree(tmp_path / "three", served)
    ended = threading.Event()

    def replace():
        while not ended.is_set():
            for name in ("two", "three"):
                shutil.copytree(tmp_path / name, served, dirs_exist_ok=True)

    replacing = threading.Thread(target=replace)
    replacing.start()
    try:
        answers = [outcome(load, served) for _ in range(20)]
    finally:
        ended.set()
        replacing.join()

    assert all(answer in ([0, 1, 2], [0, 1], "refused") for answer in answers)


def outcome(load, folder):
    """What a load ends in: the servable's answer, or the refusal."""
    try:
        servable = load(folder)
    except ServingError:
        return "refused"
    signature = servable.signatures["serving_default"]
    return servable.run(signature, {"x": np.zeros(1, np.float32)}, ["y"])[0].tolist()
