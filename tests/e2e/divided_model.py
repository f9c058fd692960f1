"""A model that two pods can hold together, with answers that callers know: y = x / 2 + version."""

from pathlib import Path

import numpy as np
import tensorflow as tf

# Enough bytes that the table is divided and not copied; x = 0 to 9 finds rows in all its parts.
_BETWEEN = 60_000
_ROWS = 10 * _BETWEEN


def save(folder: Path, version: int) -> None:
    """Save a version for x = 0 to 9 under a base path."""
    halves = np.zeros((_ROWS, 1), np.float32)
    halves[::_BETWEEN, 0] = np.arange(10) / 2
    module = tf.Module()
    module.table = tf.Variable(halves)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def half(x: tf.Tensor) -> dict[str, tf.Tensor]:
        rows = tf.gather(module.table, tf.cast(x, tf.int64) * _BETWEEN)
        return {"y": rows[:, 0] + float(version)}

    module.half = half
    target = folder / str(version)
    tf.saved_model.save(module, str(target), signatures={"serving_default": half})
