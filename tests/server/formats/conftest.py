"""What the tests of formats load models with."""

import pytest


@pytest.fixture
def load():
    """Loads a folder as a servable of the platform tensorflow, which is unloaded after the test."""
    # Imports TensorFlow, which the tests of pure rules do not need.
    from model_server.servables.platform import Runtime
    from model_server.servables.tensorflow_platform import TensorFlow

    loaded = []

    def load_it(folder, *tags):
        platform = TensorFlow(Runtime(tags=frozenset(tags or ["serve"])))
        servable = platform.load("m", 1, str(folder))
        loaded.append((platform, servable))
        return servable

    yield load_it
    for platform, servable in loaded:
        platform.unload(servable)
