"""SavedModels with the signatures step and head."""

from pathlib import Path

import numpy as np
import tensorflow as tf

UNITS = 4


class Recurrent(tf.Module):
    """h' = tanh(h weights + x), and after the last step the sum of h and its largest value.

    ``loop`` does the same for one sequence in the graph.
    """

    def __init__(self) -> None:
        super().__init__()
        random = np.random.default_rng(1)
        self.weights = tf.Variable(random.normal(size=[UNITS, UNITS]).astype(np.float32))

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, UNITS], tf.float32, name="x"),
            tf.TensorSpec([None, UNITS], tf.float32, name="h"),
        ]
    )
    def step(self, x: tf.Tensor, h: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"h": tf.tanh(tf.matmul(h, self.weights) + x)}

    @tf.function(input_signature=[tf.TensorSpec([None, UNITS], tf.float32, name="h")])
    def head(self, h: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"total": tf.reduce_sum(h, 1), "largest": tf.reduce_max(h, 1)}

    @tf.function(input_signature=[tf.TensorSpec([1, None, UNITS], tf.float32, name="x")])
    def loop(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        _, h = tf.while_loop(
            lambda number, _: number < tf.shape(x)[1],
            lambda number, h: (number + 1, self.step(x[:, number], h)["h"]),
            [0, tf.zeros([1, UNITS])],
            [tf.TensorShape([]), tf.TensorShape([None, UNITS])],
        )
        return self.head(h)


def recurrent(folder: Path, *, loop: bool = False) -> Path:
    """With ``loop`` that is the default signature."""
    module = Recurrent()
    signatures = {"step": module.step, "head": module.head}
    if loop:
        signatures["serving_default"] = module.loop
    tf.saved_model.save(module, str(folder), signatures)
    return folder


def sequences(*lengths: int) -> list[np.ndarray]:
    random = np.random.default_rng(2)
    return [random.normal(size=[1, length, UNITS]).astype(np.float32) for length in lengths]
