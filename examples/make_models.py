#!/usr/bin/env python3
"""Make the example models as SavedModels, laid out as a model server expects them.

    python examples/make_models.py --out models            # everything
    python examples/make_models.py --out models digits     # one of them

writes models/half_plus_two/1 and 2, models/half_plus_version/1 to 5 and models/digits/1. A version
folder that is already there is kept: a version never changes once it exists.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import half_plus_version as versioned

# So that a reader sees from an answer which version gave it: y = x / 2 + offset.
HALF_PLUS_TWO_OFFSETS = {1: 2.0, 2: 2.5}

EPOCHS = 30  # more no longer helps; four seconds on one core
SEED = 20
WORST_ACCEPTABLE_ACCURACY = 0.95


def half_plus_two(version: int, folder: Path) -> str:
    """Write version `version` of y = x / 2 + offset; returns a sentence about it.

    The signatures follow half_plus_two in TensorFlow Serving's own test data:
    serving_default (x float[-1] -> y float[-1]), regress_x_to_y and classify_x_to_y
    (serialized tf.Example string[-1] with the feature "x" -> float[-1, 1]).
    """
    tf = _tensorflow()
    v1 = tf.compat.v1
    offset = HALF_PLUS_TWO_OFFSETS[version]
    with tf.Graph().as_default(), v1.Session() as session:
        half = v1.get_variable("half", initializer=0.5, use_resource=True)
        two = v1.get_variable("two", initializer=offset, use_resource=True)
        x = v1.placeholder(tf.float32, [None], "x")
        y = tf.add(tf.multiply(half, x), two, "y")
        examples = v1.placeholder(tf.string, [None], "tf_example")
        features = {"x": tf.io.FixedLenFeature([1], tf.float32)}
        parsed = tf.io.parse_example(examples, features)["x"]
        y_of_example = tf.add(tf.multiply(half, parsed), two, "y_of_example")
        session.run(v1.global_variables_initializer())
        saved_model = v1.saved_model
        builder = saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(
            session,
            [saved_model.tag_constants.SERVING],
            signature_def_map={
                "serving_default": saved_model.predict_signature_def({"x": x}, {"y": y}),
                "regress_x_to_y": saved_model.regression_signature_def(examples, y_of_example),
                "classify_x_to_y": saved_model.classification_signature_def(
                    examples, None, y_of_example
                ),
            },
        )
        builder.save()
    return f"y = x / 2 + {offset:g}"


def digits(version: int, folder: Path) -> str:
    """Train a small convolutional net on 8 x 8 digits and write it; returns its accuracy.

    serving_default: images float32[-1, 8, 8], values 0 to 16 -> probabilities float32[-1, 10]
    and label int64[-1]. Raises SystemExit if it learned less than it should.
    """
    tf = _tensorflow()
    from digits_dataset import training_and_held_out

    training, held_out = training_and_held_out()
    net = _trained_net(training.images, training.labels)

    @tf.function(input_signature=[tf.TensorSpec([None, 8, 8], tf.float32, name="images")])  # type: ignore[untyped-decorator]
    def classify(images: Any) -> dict[str, Any]:
        probabilities = net(images, training=False)
        return {"probabilities": probabilities, "label": tf.argmax(probabilities, axis=-1)}

    found = classify(tf.constant(held_out.images))["label"].numpy()
    accuracy = float((found == held_out.labels).mean())
    if accuracy < WORST_ACCEPTABLE_ACCURACY:
        raise SystemExit(f"digits/{version}: only {accuracy:.1%} of held-out images are right")
    module = tf.Module()
    # Keras' own wrappers of the variables would be restored under other names than the graph
    # reads, which TensorFlow's session loader then misses; and the optimizer is of no use here.
    module.weights = [weight.value for weight in net.trainable_variables]
    module.classify = classify
    tf.saved_model.save(module, str(folder), signatures={"serving_default": classify})
    return f"{accuracy:.1%} of {len(held_out.labels)} held-out images are right"


def half_plus_version(version: int, folder: Path) -> str:
    """Write version `version` of y = x / 2 + version, of which some have faults."""
    _tensorflow()
    return versioned.write(version, folder)


def _trained_net(images: Any, labels: Any) -> Any:
    import tensorflow as tf

    keras = tf.keras
    keras.utils.set_random_seed(SEED)
    # The same machine then makes the same model, bit for bit.
    tf.config.experimental.enable_op_determinism()
    net = keras.Sequential(
        [
            keras.layers.Input((8, 8)),
            keras.layers.Rescaling(1 / 16),
            keras.layers.Reshape((8, 8, 1)),
            keras.layers.Conv2D(16, 3, activation="relu"),
            keras.layers.Conv2D(32, 3, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    net.compile("adam", "sparse_categorical_crossentropy")
    net.fit(images, labels, batch_size=32, epochs=EPOCHS, verbose=0)
    return net


MODELS: dict[str, tuple[tuple[int, ...], Callable[[int, Path], str]]] = {
    "half_plus_two": (tuple(HALF_PLUS_TWO_OFFSETS), half_plus_two),
    "half_plus_version": (versioned.VERSIONS, half_plus_version),
    "digits": ((1,), digits),
}


def write_version(out: Path, name: str, version: int) -> str:
    """Make OUT/NAME/VERSION whole or not at all; returns a sentence about what happened."""
    target = out / name / str(version)
    if target.exists():
        return "already there, kept"
    target.parent.mkdir(parents=True, exist_ok=True)
    # A model server that watches the base path ignores names that are not numbers.
    unfinished = Path(tempfile.mkdtemp(prefix=f".{version}-", dir=target.parent))
    try:
        folder = unfinished / "model"
        said = MODELS[name][1](version, folder)
        # Servers run as another user than whoever makes the model.
        folder.chmod(0o755)
        os.rename(folder, target)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return said


def _tensorflow() -> Any:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # oneDNN announces itself on stderr, and rounds differently from machine to machine.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    try:
        import tensorflow as tf
    except ImportError as error:
        raise SystemExit(
            f"TensorFlow cannot be imported ({error}). "
            "Install it with: pip install -c constraints.txt '.[server-cpu,test]'"
        ) from error
    tf.get_logger().setLevel("ERROR")
    return tf


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Make the example models as SavedModels.")
    parser.add_argument("models", nargs="*", metavar="MODEL", help=f"from: {', '.join(MODELS)}")
    parser.add_argument("--out", type=Path, required=True, help="folder for the base paths")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.models if name not in MODELS]
    if unknown:
        parser.error(f"unknown model {unknown[0]!r}; there are: {', '.join(MODELS)}")
    return options


def main(arguments: list[str] | None = None) -> None:
    """Make what the command line asks for, one progress line a version."""
    options = _options(arguments)
    began = time.monotonic()
    for name in options.models or MODELS:
        for version in MODELS[name][0]:
            try:
                said = write_version(options.out, name, version)
            except OSError as error:
                sys.exit(f"cannot write {options.out / name / str(version)}: {error.strerror}")
            print(f"{time.monotonic() - began:5.1f} s  {name}/{version}: {said}", flush=True)


if __name__ == "__main__":
    main()
