"""SavedModels in the form of TensorFlow 1, with what graphs of its time have beside variables."""

from collections.abc import Mapping
from pathlib import Path

import tensorflow as tf
from google.protobuf import text_format
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

v1 = tf.compat.v1

WORDS = ["a", "b", "c"]


def _signature(inputs: Mapping[str, tf.Tensor], outputs: Mapping[str, tf.Tensor]) -> object:
    return v1.saved_model.build_signature_def(
        {name: v1.saved_model.build_tensor_info(tensor) for name, tensor in inputs.items()},
        {name: v1.saved_model.build_tensor_info(tensor) for name, tensor in outputs.items()},
        "tensorflow/serving/predict",
    )


def several_metagraphs(folder: Path) -> Path:
    """Tagged serve, serve and double, train: y is x plus the one variable, doubled where so tagged.

    The graph for training has no signature.
    """
    builder = v1.saved_model.Builder(str(folder))
    for tags in (["serve"], ["serve", "double"], ["train"]):
        with v1.Session(graph=tf.Graph()) as session:
            bias = v1.get_variable("bias", initializer=1.0)
            x = v1.placeholder(tf.float32, [None], name="x")
            y = (x + bias) * (2.0 if "double" in tags else 1.0)
            session.run(v1.global_variables_initializer())
            signatures = {"serving_default": _signature({"x": x}, {"y": y})}
            if "train" in tags:
                signatures = {}
            if tags == ["serve"]:
                builder.add_meta_graph_and_variables(session, tags, signatures)
            else:
                builder.add_meta_graph(tags, signatures)
    builder.save()
    return folder


def lookup(folder: Path, *, main_op: bool) -> Path:
    """The index of a word in an asset; the table is filled by a main op, or the legacy init op."""
    vocabulary = folder.parent / "words.txt"
    vocabulary.write_text("\n".join(WORDS))
    with v1.Session(graph=tf.Graph()) as session:
        asset = tf.constant(str(vocabulary), name="asset")
        v1.add_to_collection(v1.GraphKeys.ASSET_FILEPATHS, asset)
        initializer = tf.lookup.TextFileInitializer(
            asset,
            tf.string,
            tf.lookup.TextFileIndex.WHOLE_LINE,
            tf.int64,
            tf.lookup.TextFileIndex.LINE_NUMBER,
        )
        table = v1.lookup.StaticHashTable(initializer, -1)
        word = v1.placeholder(tf.string, [None], name="word")
        session.run(v1.tables_initializer())
        builder = v1.saved_model.Builder(str(folder))
        filling = v1.tables_initializer()
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            {"serving_default": _signature({"word": word}, {"id": table.lookup(word)})},
            assets_collection=v1.get_collection(v1.GraphKeys.ASSET_FILEPATHS),
            **({"main_op": filling} if main_op else {"legacy_init_op": filling}),
        )
        builder.save()
    vocabulary.unlink()
    return folder


def partitioned(folder: Path) -> Path:
    """A ref variable in two parts; y is the sum of its four values and x."""
    with v1.Session(graph=tf.Graph()) as session:
        parts = v1.get_variable(
            "parts",
            initializer=tf.range(4.0),
            partitioner=v1.fixed_size_partitioner(2),
            use_resource=False,
        )
        x = v1.placeholder(tf.float32, [], name="x")
        y = x + tf.reduce_sum(tf.convert_to_tensor(parts))
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(
            session, ["serve"], {"serving_default": _signature({"x": x}, {"y": y})}
        )
        builder.save()
    return folder


def looping(folder: Path) -> Path:
    """Control flow of TensorFlow 1: y is the first power of two that is not below x."""
    with v1.Session(graph=tf.Graph()) as session:
        v1.disable_control_flow_v2()
        x = v1.placeholder(tf.int32, [], name="x")
        y = v1.while_loop(lambda power: power < x, lambda power: power * 2, [tf.constant(1)])
        v1.enable_control_flow_v2()
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(
            session, ["serve"], {"serving_default": _signature({"x": x}, {"y": y})}
        )
        builder.save()
    return folder


def as_text(folder: Path) -> Path:
    """Makes ``saved_model.pb`` the text of the same message."""
    saved = SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    (folder / "saved_model.pbtxt").write_text(text_format.MessageToString(saved))
    (folder / "saved_model.pb").unlink()
    return folder
