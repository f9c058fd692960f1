"""What an input of a TensorFlow Lite model holds where nobody fed it."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from model_server.servables.dtypes import STRING
from model_server.servables.signature import Tensor


def blank(details: Mapping[str, Any]) -> Tensor:
    """Zeros or empty strings of the type and shape that LiteRT tells of a tensor.

    A view of one element: the interpreter copies.
    """
    # Strings are bytes in what it tells, but objects in its tensors.
    if np.dtype(details["dtype"]).kind == "S":
        return np.broadcast_to(np.array(b"", STRING.numpy), details["shape"])
    return np.broadcast_to(np.zeros((), details["dtype"]), details["shape"])
