"""Scikit-learn's handwritten digits, split the same way for training and for asking.

1,797 grey images of 8 x 8 pixels, values 0 to 16, by 43 writers (UCI "Optical Recognition of
Handwritten Digits"). They ship inside scikit-learn, so nothing is downloaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

SPLIT_SEED = 7  # any fixed number: the client must not ask for images the model was trained on


@dataclass(frozen=True)
class Digits:
    """`images` is float32 [n, 8, 8] with values 0 to 16, `labels` int64 [n] with values 0 to 9."""

    images: NDArray[np.float32]
    labels: NDArray[np.int64]


def training_and_held_out() -> tuple[Digits, Digits]:
    """1,437 images to train on, and 360 that the model never saw."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    bunch: Any = load_digits()
    parts = train_test_split(
        bunch.images.astype(np.float32),
        bunch.target.astype(np.int64),
        test_size=360,
        random_state=SPLIT_SEED,
        stratify=bunch.target,
    )
    return Digits(parts[0], parts[2]), Digits(parts[1], parts[3])
