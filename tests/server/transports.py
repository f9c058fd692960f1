"""What can speak gRPC: each test that asks it takes these as parameters.

The native one is left out where its extension is not installed.
"""

from importlib.util import find_spec

import pytest

from model_server.api.grpc.endpoint import GrpcEndpoint
from model_server.api.grpc.native.endpoint import NativeEndpoint

_needs_extension = pytest.mark.skipif(
    find_spec("modelfleet_transport") is None,
    reason="modelfleet-transport is not installed: pip install ./server/transport (needs Rust)",
)
TRANSPORTS = [
    pytest.param(GrpcEndpoint, id="grpcio"),
    pytest.param(NativeEndpoint, id="native", marks=_needs_extension),
]
# The same by the flag --grpc_transport.
NAMES = [
    pytest.param("grpcio"),
    pytest.param("native", marks=_needs_extension),
]
