"""The models that every server gets: how they are made, what they are asked, and what is right.

A request has one row; ``x`` goes in and ``y`` comes out.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Row = NDArray[np.float32]
# 10.5 million weights: each request computes, and a batch of 32 costs about as much as 4 rows.
_MLP = (1024, 2048, 2048, 2048, 10)


@dataclass(frozen=True)
class Model:
    """A SavedModel in the first version of ``base``, a request of one row and its answer."""

    name: str
    base: Path
    row: Row
    answer: Row


def tiny() -> tuple[Any, Row]:
    """y = 0.5 x + 2 for three numbers: nothing but overhead."""
    import tensorflow as tf

    class HalfPlusTwo(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, name="x")])
        def __call__(self, x: Any) -> dict[str, Any]:
            return {"y": 0.5 * x + 2.0}

    return HalfPlusTwo(), np.array([[1.0, 2.0, 5.0]], np.float32)


def mlp() -> tuple[Any, Row]:
    """Four dense layers."""
    import tensorflow as tf

    class Dense(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            random = np.random.default_rng(0)
            self.layers = [
                tf.Variable(random.normal(0, inputs**-0.5, (inputs, outputs)).astype("f"))
                for inputs, outputs in pairwise(_MLP)
            ]

        @tf.function(input_signature=[tf.TensorSpec([None, _MLP[0]], tf.float32, name="x")])
        def __call__(self, x: Any) -> dict[str, Any]:
            for weights in self.layers:
                x = tf.nn.elu(x @ weights)
            return {"y": x}

    return Dense(), np.linspace(-1, 1, _MLP[0], dtype=np.float32)[None]


def cnn() -> tuple[Any, Row]:
    """Two 3 x 3 convolutions and a dense layer on an image of 28 x 28; 0.4 million weights."""
    import tensorflow as tf

    class Convolutions(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            random = np.random.default_rng(0)
            shapes = ((3, 3, 1, 32), (3, 3, 32, 64), (64 * 7 * 7, 128), (128, 10))
            self.weights = [
                tf.Variable(random.normal(0, 0.05, shape).astype("f")) for shape in shapes
            ]

        @tf.function(input_signature=[tf.TensorSpec([None, 28, 28, 1], tf.float32, name="x")])
        def __call__(self, x: Any) -> dict[str, Any]:
            first, second, dense, last = self.weights
            for filters in (first, second):
                x = tf.nn.max_pool2d(tf.nn.relu(tf.nn.conv2d(x, filters, 1, "SAME")), 2, 2, "SAME")
            flat = tf.reshape(x, [-1, 64 * 7 * 7])
            return {"y": tf.nn.relu(flat @ dense) @ last}

    return Convolutions(), np.linspace(0, 1, 784, dtype=np.float32).reshape(1, 28, 28, 1)


KINDS: dict[str, Callable[[], tuple[Any, Row]]] = {"tiny": tiny, "mlp": mlp, "cnn": cnn}


def save(name: str, base: Path) -> Model:
    """Makes a model and asks it once, in this process."""
    import tensorflow as tf

    module, row = KINDS[name]()
    tf.saved_model.save(module, str(base / "1"))
    return Model(name, base, row, module(row)["y"].numpy())


def saved(name: str, base: Path) -> Model:
    """The same in a process of its own, because whoever measures must not hold TensorFlow."""
    import subprocess
    import sys

    code = (
        "import json; from pathlib import Path; from benchmarks.serving.models import save;"
        f" made = save({name!r}, Path({str(base)!r}));"
        " print(json.dumps([made.row.tolist(), made.answer.tolist()]))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    row, answer = (np.array(each, np.float32) for each in json.loads(done.stdout.splitlines()[-1]))
    return Model(name, base, row, answer)
