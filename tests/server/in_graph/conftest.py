"""What the tests of batching inside graphs load and call models with."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest


@pytest.fixture
def load() -> Iterator[Callable[..., Any]]:
    """Loads a folder as a servable of the platform tensorflow, which is unloaded after the test."""
    # Imports TensorFlow, which the tests of pure rules do not need.
    from model_server.servables.platform import Runtime
    from model_server.servables.tensorflow_platform import TensorFlow

    loaded = []

    def load_it(folder: Path, version: int = 1) -> Any:
        platform = TensorFlow(Runtime())
        servable = platform.load("m", version, str(folder))
        loaded.append((platform, servable))
        return servable

    yield load_it
    for platform, servable in loaded:
        platform.unload(servable)


@pytest.fixture
def together() -> Callable[..., list[Any]]:
    """Calls a servable from as many threads as there are requests; answers, or what was raised."""
    return call_together


Asked = tuple[str, Mapping[str, Any]]


def call(servable: Any, asked: Asked, outputs: Sequence[str] = ()) -> dict[str, np.ndarray]:
    """The outputs by alias; all if none is named."""
    name, inputs = asked
    signature = servable.signatures[name]
    wanted = tuple(outputs or signature.outputs)
    arrays = {
        alias: np.asarray(value, signature.inputs[alias].dtype.numpy)
        for alias, value in inputs.items()
    }
    return dict(zip(wanted, servable.run(signature, arrays, wanted), strict=True))


def call_together(servable: Any, asked: Sequence[Asked]) -> list[Any]:
    with ThreadPoolExecutor(len(asked)) as pool:
        under_way = [pool.submit(call, servable, each) for each in asked]
        return [each.exception(180) or each.result() for each in under_way]
