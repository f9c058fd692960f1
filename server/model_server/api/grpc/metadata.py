"""What a client says beside its message, to a server over grpcio."""

import grpc


def header(context: grpc.ServicerContext, name: str) -> str | None:
    """The text that goes by this name, the last of several; None if there is none."""
    found = None
    for other, text in context.invocation_metadata():
        if other == name:
            found = text
    return str(found) if found is not None else None
