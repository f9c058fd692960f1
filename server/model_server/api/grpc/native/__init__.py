"""gRPC over the extension modelfleet-transport, beside the one over grpcio."""
