"""Inputs of classify and regress: tf.Examples, which stay serialized on their way to the graph."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model_server.core.errors import Code, ServingError
from model_server.servables.dtypes import STRING
from model_server.servables.signature import Tensor


@dataclass(frozen=True)
class Examples:
    """Serialized tf.Examples, and one whose features all of them have unless they say otherwise."""

    serialized: Sequence[bytes]
    context: bytes = b""

    def tensor(self) -> Tensor:
        """One string for each example, shape [n]. Raises ServingError if there is none."""
        if not self.serialized:
            raise ServingError(Code.INVALID_ARGUMENT, "Input is empty.")
        array = np.empty(len(self.serialized), STRING.numpy)
        # Serialized messages merge by standing one after the other; the later one wins.
        array[:] = [self.context + example for example in self.serialized]
        return array
