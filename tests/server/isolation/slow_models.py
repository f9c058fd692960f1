"""A platform for tests: the model ``slow`` answers when it may, all others at once."""

import sys
import threading
from collections.abc import Mapping, Sequence

from model_server.servables.dtypes import dtype_of
from model_server.servables.signature import PREDICT, Signature, Tensor, Tensors, TensorSpec

_FLOAT = 1
SPEC = TensorSpec("x", dtype_of(_FLOAT), (-1,))

# Each run of the slow model says that it began, and waits until it may end.
began = threading.Semaphore(0)
may_end = threading.Semaphore(0)
# The seconds after which Python's threads handed over, in each load.
turns: list[float] = []


class Model:
    """Its output is its input."""

    def __init__(self, *, is_slow: bool) -> None:
        self._is_slow = is_slow

    @property
    def signatures(self) -> Mapping[str, Signature]:
        name = "serving_default"
        return {name: Signature(name, {"x": SPEC}, {"y": SPEC}, PREDICT, {})}

    def run(
        self, signature: Signature, inputs: Tensors, outputs: Sequence[str]
    ) -> Sequence[Tensor]:
        if self._is_slow:
            began.release()
            assert may_end.acquire(timeout=180)
        return [inputs["x"] for _ in outputs]


class Models:
    """A platform whose models need no files."""

    def __init__(self, runtime: object) -> None:
        pass

    def load(self, name: str, version: int, path: str) -> Model:
        turns.append(sys.getswitchinterval())
        return Model(is_slow=name.startswith("slow"))

    def unload(self, servable: Model) -> None:
        pass
