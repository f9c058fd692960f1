"""SavedModels written as TensorFlow 1 programs wrote them, made where a test wants them."""

from pathlib import Path

import tensorflow as tf

v1 = tf.compat.v1


def initialised(folder: Path, argument: str, *, as_text: bool = False) -> Path:
    """y = 0.5 x + 2, and the text of an asset that an operation reads into a variable at load.

    ``argument`` is the builder's name for that operation: ``main_op`` or ``legacy_init_op``.
    """
    file = folder.parent / "words.txt"
    file.write_text("from the asset")
    graph = tf.Graph()
    with graph.as_default(), v1.Session(graph=graph) as session:
        half = v1.Variable(0.5, name="half", use_resource=False)
        x = v1.placeholder(tf.float32, [None], name="x")
        asset = tf.constant(str(file))
        v1.add_to_collection(v1.GraphKeys.ASSET_FILEPATHS, asset)
        words = v1.Variable("", name="words", use_resource=False, collections=[])
        read = words.assign(tf.io.read_file(asset))
        infos = v1.saved_model.build_tensor_info
        signature = v1.saved_model.signature_def_utils.build_signature_def(
            {"x": infos(x)},
            {"y": infos(half * x + 2.0), "words": infos(words)},
            "tensorflow/serving/predict",
        )
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            {"serving_default": signature},
            assets_collection=v1.get_collection(v1.GraphKeys.ASSET_FILEPATHS),
            strip_default_attrs=True,
            **{argument: tf.group(read)},
        )
        builder.save(as_text)
    file.unlink()
    return folder
