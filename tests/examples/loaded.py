"""SavedModels as TensorFlow's own session loader runs them."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def run(base_path: Path, signature: str, feeds: dict[str, Any]) -> dict[str, Any]:
    """Load by TensorFlow's session loader, as a model server does, and run one signature."""
    import tensorflow as tf

    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        definition = v1.saved_model.load(session, ["serve"], str(base_path)).signature_def[
            signature
        ]
        return session.run(
            {name: info.name for name, info in definition.outputs.items()},
            {definition.inputs[name].name: value for name, value in feeds.items()},
        )
