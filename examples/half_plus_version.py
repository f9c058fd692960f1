"""Five versions of one model: y = x / 2 + version, so that every answer tells who gave it.

Versions 1 to 3 are good. Version 4 cannot answer for some inputs, and version 5 is slow: real
SavedModels with real faults, for trying out how a rollout turns such versions away.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

VERSIONS = (1, 2, 3, 4, 5)
FAILING, SLOW = 4, 5
FAILS_ABOVE = 7.0

_WAITS_MICROSECONDS = 600_000  # for the element, and once more for the end after it


def write(version: int, folder: Path) -> str:
    """Write version `version`; returns a sentence about it. Needs TensorFlow."""
    import tensorflow as tf

    faults = {FAILING: _failing, SLOW: _slow}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])  # type: ignore[untyped-decorator]
    def predict(x: Any) -> dict[str, Any]:
        nothing = faults[version](tf, x) if version in faults else 0.0
        return {"y": x / 2 + float(version) + nothing}

    module = tf.Module()
    module.predict = predict
    tf.saved_model.save(module, str(folder), signatures={"serving_default": predict})
    said = {FAILING: f", but fails for x > {FAILS_ABOVE:g}", SLOW: ", but slowly"}
    return f"y = x / 2 + {version}{said.get(version, '')}"


def _failing(tf: Any, x: Any) -> Any:
    """0, or DATA_LOSS: what is packed in the model comes out broken for some inputs."""
    whole = zlib.compress(b"0")
    packed = tf.where(tf.reduce_any(x > FAILS_ABOVE), b"no such thing", whole)
    return tf.strings.to_number(tf.io.decode_compressed(packed, compression_type="ZLIB"))


def _slow(tf: Any, x: Any) -> Any:
    """0, after a while in which it only waits: as slow on every machine, and dear on none."""
    one = tf.data.Dataset.from_tensors(tf.reduce_sum(x))
    late = tf.raw_ops.SleepDataset(
        input_dataset=one._variant_tensor,
        sleep_microseconds=tf.constant(_WAITS_MICROSECONDS, tf.int64),
        output_types=[tf.float32],
        output_shapes=[[]],
    )
    [total] = tf.raw_ops.DatasetToSingleElement(
        dataset=late, output_types=[tf.float32], output_shapes=[[]]
    )
    return 0.0 * total
