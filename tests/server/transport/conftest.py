"""A whole server for each transport of gRPC, with health."""

from collections.abc import Iterator

import pytest
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow_serving.apis.predict_pb2 import PredictRequest

from server.conftest import Running, model_config, serve
from server.transports import NAMES


@pytest.fixture(scope="module", params=NAMES)
def served(request: pytest.FixtureRequest, model_folders) -> Iterator[Running]:
    """A server with the models ``default`` and ``slow``."""
    models = " ".join(model_config(model_folders / name) for name in ("default", "slow"))
    running = serve(models, transport=request.param, enable_grpc_healthcheck_service=True)
    running.http.wait_until_ready()
    yield running
    running.end()


@pytest.fixture(scope="session")
def quick() -> PredictRequest:
    """One that a model answers at once: half plus two of two numbers."""
    x = TensorProto(dtype=1, tensor_shape={"dim": [{"size": 2}]}, float_val=[1.0, 2.0])
    return PredictRequest(model_spec={"name": "default"}, inputs={"x": x})


@pytest.fixture(scope="session")
def slow() -> PredictRequest:
    """One that takes a model some tenths of a second at least."""
    inputs = {
        "x": TensorProto(dtype=1, float_val=[2.0]),
        "rounds": TensorProto(dtype=9, int64_val=[80_000]),
    }
    return PredictRequest(model_spec={"name": "slow"}, inputs=inputs)
