"""Loads and runs TensorFlow Lite models of which some bytes were changed: a process of its own."""

import contextlib
import random
import sys
from pathlib import Path

import numpy as np

from model_server.core.errors import ServingError
from model_server.servables.dtypes import STRING
from model_server.servables.platform import Runtime
from model_server.servables.tflite.model import TfLite, TfLiteModel
from server.formats import tflite_models as models

TRIES = 150
CHANGED = (models.half_plus_two, models.two_signatures, models.quantised, models.features)
BLANKS = {STRING: b""}


def changed(rng: random.Random) -> bytes:
    """A sound model with one to four bytes that are others."""
    content = bytearray(rng.choice(CHANGED)())
    for _ in range(rng.randint(1, 4)):
        content[rng.randrange(len(content))] = rng.randrange(256)
    return bytes(content)


def run_all(servable: TfLiteModel) -> None:
    """Runs every signature on inputs of one element."""
    for signature in servable.signatures.values():
        inputs = {
            alias: np.full([1] * len(spec.shape), BLANKS.get(spec.dtype, 0), spec.dtype.numpy)
            for alias, spec in signature.inputs.items()
        }
        servable.run(signature, inputs, list(signature.outputs))


def main(folder: Path) -> None:
    rng = random.Random(7)
    platform = TfLite(Runtime())
    for _ in range(TRIES):
        models.written(folder, changed(rng))
        with (
            contextlib.suppress(ServingError),
            contextlib.closing(platform.load("m", 1, str(folder))) as servable,
        ):
            run_all(servable)
    print(f"{TRIES} models tried")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
