"""SavedModels with work for each row around, or in a loop with, a part that can be batched."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

v1 = tf.compat.v1
UNITS = 4


class Ranker(tf.Module):
    """Words of any number to the sum of their rows, through a dense layer, to the best label."""

    def __init__(self) -> None:
        super().__init__()
        random = np.random.default_rng(1)
        self.table = tf.Variable(random.normal(size=[16, 8]).astype(np.float32))
        self.weights = tf.Variable(random.normal(size=[8, 3]).astype(np.float32))
        self.labels = tf.Variable(["red", "green", "blue"], dtype=tf.string)

    @tf.function
    def dense(self, features: tf.Tensor, scale: tf.Tensor) -> tf.Tensor:
        return tf.nn.softmax(tf.matmul(features, self.weights) * scale, name="scores")

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.int64, name="words"),
            tf.TensorSpec([], tf.float32, name="scale"),
        ]
    )
    def run(self, words: tf.Tensor, scale: tf.Tensor) -> dict[str, tf.Tensor]:
        features = tf.reduce_sum(tf.gather(self.table, words % 16), 0, keepdims=True)
        scores = self.dense(features, tf.ones([tf.shape(features)[0], 1]) * scale)
        best = tf.argmax(scores[0])
        return {"label": self.labels[best], "scores": scores}


def ranker(folder: Path) -> Path:
    module = Ranker()
    tf.saved_model.save(module, str(folder), {"serving_default": module.run})
    return folder


def ranker_samples() -> list[dict[str, Any]]:
    return [
        {"words": np.array(words, np.int64), "scale": np.array(scale, np.float32)}
        for words, scale in (([1, 2, 3], 1.0), ([4], 2.0), ([9, 9], 0.5))
    ]


class Recurrent(tf.Module):
    """A loop over the steps of a row; its cell is a function."""

    def __init__(self) -> None:
        super().__init__()
        random = np.random.default_rng(2)
        self.weights = tf.Variable(random.normal(size=[UNITS, UNITS]).astype(np.float32))

    @tf.function
    def cell(self, x: tf.Tensor, state: tf.Tensor) -> tf.Tensor:
        return tf.tanh(tf.matmul(state, self.weights) + x)

    @tf.function(input_signature=[tf.TensorSpec([None, UNITS], tf.float32, name="x")])
    def run(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        def turn(number: tf.Tensor, state: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return number + 1, self.cell(x[number][tf.newaxis], state)

        _, state = tf.while_loop(
            lambda number, _: number < tf.shape(x)[0],
            turn,
            [0, tf.zeros([1, UNITS])],
            [tf.TensorShape([]), tf.TensorShape([None, UNITS])],
        )
        return {"state": state}


def recurrent(folder: Path) -> Path:
    module = Recurrent()
    tf.saved_model.save(module, str(folder), {"serving_default": module.run})
    return folder


def keras_lstm(folder: Path) -> Path:
    """An LSTM of Keras, whose cell is no function but a part of its loop's body."""
    layers = tf.keras.layers
    model = tf.keras.Sequential(
        [layers.Input([None, UNITS], name="x"), layers.LSTM(UNITS, name="lstm")]
    )
    model.export(str(folder), verbose=False)
    return folder


def recurrent_samples() -> list[dict[str, Any]]:
    random = np.random.default_rng(3)
    return [{"x": random.normal(size=[steps, UNITS]).astype(np.float32)} for steps in (3, 1, 6)]


def tensorflow_1(folder: Path) -> Path:
    """Reference variables: ``dense/out`` is relu(x weights + bias), of which the largest is given.

    ``twice`` is read outside as well.
    """
    random = np.random.default_rng(4)
    with v1.Session(graph=tf.Graph()) as session:
        weights = v1.Variable(random.normal(size=[3, 5]).astype(np.float32), use_resource=False)
        x = v1.placeholder(tf.float32, [None, 3], name="x")
        factor = v1.placeholder(tf.float32, [], name="factor")
        twice = tf.multiply(x, 2.0, name="twice")
        bias = tf.constant(random.normal(size=[5]).astype(np.float32))
        out = tf.nn.relu(tf.matmul(twice, weights) + bias, name="out")
        scaled = tf.multiply(out, factor, name="scaled")
        largest = tf.reduce_max(scaled, 1, name="largest")
        session.run(v1.global_variables_initializer())
        signature = v1.saved_model.build_signature_def(
            {
                "x": v1.saved_model.build_tensor_info(x),
                "factor": v1.saved_model.build_tensor_info(factor),
            },
            {
                "largest": v1.saved_model.build_tensor_info(largest),
                "out": v1.saved_model.build_tensor_info(out),
                "twice": v1.saved_model.build_tensor_info(twice),
            },
            "tensorflow/serving/predict",
        )
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(session, ["serve"], {"serving_default": signature})
        builder.save()
    return folder


def tensorflow_1_samples() -> list[dict[str, Any]]:
    random = np.random.default_rng(5)
    return [
        {"x": random.normal(size=[rows, 3]).astype(np.float32), "factor": np.float32(rows)}
        for rows in (1, 2, 3)
    ]


def mixing(folder: Path, mix: Callable[[tf.Tensor], tf.Tensor]) -> Path:
    """A function ``part`` of two columns, with this in it."""

    @tf.function
    def part(x: tf.Tensor) -> tf.Tensor:
        return mix(x * 2.0) + 1.0

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="x")])
    def run(x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": part(x)}

    module = tf.Module()
    module.run = run
    tf.saved_model.save(module, str(folder), {"serving_default": run})
    return folder


def mixing_samples() -> list[dict[str, Any]]:
    return [{"x": np.array(rows, np.float32)} for rows in ([[1, 2]], [[3, 5], [8, 1]])]
