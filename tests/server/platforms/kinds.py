"""A model of every platform, with what it answers."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from server import onnx_models, saved_models
from server.formats import tflite_models

HALF_PLUS_TWO = """
class Model:
    signatures = {"serving_default": {"inputs": {"x": "float32"}, "outputs": {"y": "float32"}}}
    def predict(self, inputs, signature):
        return {"y": inputs["x"] / 2 + 2}
"""


@dataclass(frozen=True)
class Kind:
    """A platform, how to make a model of it, and what that answers to a vector."""

    platform: str
    make: Callable[[Path], Any]
    alias: str = "x"
    asked: tuple[Any, ...] = (1.0, -2.5, 1e30)
    outputs: tuple[tuple[str, tuple[Any, ...]], ...] = (("y", (2.5, 0.75, 5e29)),)

    def __str__(self) -> str:
        return self.platform

    def tensor(self, values: tuple[Any, ...]) -> Any:
        kind = object if isinstance(values[0], str) else np.float32
        return tf.make_tensor_proto(np.array(values, kind))

    def config(self, root: Path) -> str:
        """The entry of a model config list for the model in the folder named after it."""
        return (
            f'config {{ name: "{self.platform}" base_path: "{root / self.platform}"'
            f' model_platform: "{self.platform}" }} '
        )


def python_model(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "model.py").write_text(HALF_PLUS_TWO)


def tflite_model(folder: Path) -> None:
    folder.mkdir(parents=True)
    tflite_models.written(folder, tflite_models.half_plus_two())


def hashmap(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "hashmap.csv").write_text("a,1\nb,ü\n")


# One line for each platform; those that compute 0.5 x + 2 need no more than a maker.
KINDS = [
    Kind("tensorflow", saved_models.half_plus_two),
    Kind("onnx", onnx_models.half_plus_two),
    Kind("python", python_model),
    Kind("tflite", tflite_model),
    Kind(
        "hashmap",
        hashmap,
        alias="keys",
        asked=("b", "none", "a"),
        outputs=(("values", ("ü", "", "1")), ("found", (True, False, True))),
    ),
]
