"""Of a SavedModel's checkpoint, only what signatures read is restored, and all of that."""

import logging

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from model_server.core.errors import Code, ServingError
from model_server.servables.saved_model.variables import restore_of
from server.formats import object_models

WORDS = np.arange(10, dtype=np.int64).reshape(2, 5)


@pytest.fixture(scope="module")
def keras_model():
    return object_models.classifier()


@pytest.fixture(scope="module")
def exported(keras_model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported") / "1"
    keras_model.export(str(folder), verbose=False)
    return folder


@pytest.fixture(scope="module")
def saved(keras_model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "1"
    tf.saved_model.save(keras_model, str(folder))
    return folder


def run(servable, *inputs, signature="serving_default"):
    called = servable.signatures[signature]
    fed = dict(zip(called.inputs, inputs, strict=True))
    return servable.run(called, fed, tuple(called.outputs))


def restore(folder):
    saved = SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    return restore_of(saved.meta_graphs[0])


def test_an_exported_keras_model_answers_as_the_model_does(load, exported, keras_model):
    (answer,) = run(load(exported), WORDS)

    np.testing.assert_allclose(answer, keras_model(WORDS).numpy(), rtol=1e-6)


def test_a_keras_model_written_by_tf_saved_model_save_is_repaired(load, saved, keras_model, caplog):
    (answer,) = run(load(saved), WORDS)

    np.testing.assert_allclose(answer, keras_model(WORDS).numpy(), rtol=1e-6)
    assert "model.export() writes a SavedModel that any server can run" in caplog.text


def test_the_same_model_cannot_be_asked_where_tensorflow_alone_restores_it(saved):
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        signature = tf.compat.v1.saved_model.load(session, ["serve"], str(saved)).signature_def[
            "serving_default"
        ]
        (words,) = signature.inputs.values()
        (output,) = signature.outputs.values()

        with pytest.raises(tf.errors.FailedPreconditionError, match="Could not find variable"):
            session.run(output.name, {words.name: WORDS})


def test_an_exported_keras_model_restores_each_variable_once(exported):
    checkpoint = tf.train.list_variables(str(exported / "variables" / "variables"))

    needed = restore(exported)

    stored = [key for key, _ in checkpoint if key.endswith("VARIABLE_VALUE")]
    assert len(stored) == 2 * object_models.VARIABLES
    assert len(needed.reached) == object_models.VARIABLES
    assert (needed.copies, needed.lost, needed.plain) == ((), (), True)


def test_only_half_of_an_exported_keras_models_bytes_are_restored(load, exported, caplog):
    caplog.set_level(logging.INFO)

    load(exported)

    once, twice = object_models.BYTES, 2 * object_models.BYTES
    assert f"Restored {object_models.VARIABLES} variables of {exported}: {once} of" in caplog.text
    assert f"{once} of the checkpoint's {twice} bytes" in caplog.text


def test_the_variables_of_a_saved_keras_model_are_found_by_their_copies(saved):
    needed = restore(saved)

    assert needed.reached == ()
    assert len(needed.copies) == object_models.VARIABLES
    assert {"table/embeddings", "scores/kernel"} <= {
        variable.node.removesuffix("_1") for variable in needed.copies
    }


def test_tables_and_assets_are_restored_beside_variables(load, tmp_path):
    servable = load(object_models.lookup(tmp_path / "1"))
    words = np.array([b"c", b"b", b"z"], object)

    (ids,) = run(servable, words)
    (bonus,) = run(servable, words, signature="bonus")

    assert ids.tolist() == [12, 11, 13]
    assert bonus.tolist() == [10, 110, 10]


def test_the_form_of_tensorflow_1_is_left_to_its_own_restore_operation(model_folders):
    assert restore(model_folders / "two" / "1") is None


def test_a_checkpoint_of_other_shapes_is_refused_by_name(load, tmp_path):
    folder = object_models.unlike_its_checkpoint(tmp_path / "1")

    with pytest.raises(ServingError, match=r"variable Variable has shape \(3,\), but \[2\]") as e:
        load(folder)

    assert e.value.code is Code.INVALID_ARGUMENT


def test_a_checkpoint_without_a_variable_is_refused_by_key(load, exported, tmp_path):
    folder = object_models.vector(tmp_path / "1", 3)
    other = tmp_path / "1" / "variables"
    for file in (exported / "variables").iterdir():
        (other / file.name).write_bytes(file.read_bytes())

    with pytest.raises(ServingError, match=r"Key vector/\.ATTRIBUTES/VARIABLE_VALUE") as e:
        load(folder)

    assert e.value.code is Code.NOT_FOUND
