"""What can speak gRPC and HTTP: each test that asks it takes these as parameters.

The native one is left out where its extension is not installed.
"""

from importlib.util import find_spec

import pytest

from model_server.api.grpc.endpoint import GrpcEndpoint
from model_server.api.grpc.native.endpoint import NativeEndpoint
from model_server.api.rest.endpoint import RestEndpoint
from model_server.api.rest.native import NativeRestEndpoint

needs_extension = pytest.mark.skipif(
    find_spec("modelfleet_transport") is None,
    reason="modelfleet-transport is not installed: pip install ./server/transport (needs Rust)",
)
TRANSPORTS = [
    pytest.param(GrpcEndpoint, id="python"),
    pytest.param(NativeEndpoint, id="native", marks=needs_extension),
]
REST_TRANSPORTS = [
    pytest.param(RestEndpoint, id="python"),
    pytest.param(NativeRestEndpoint, id="native", marks=needs_extension),
]
# The same by the flag --transport.
NAMES = [
    pytest.param("python"),
    pytest.param("native", marks=needs_extension),
]
