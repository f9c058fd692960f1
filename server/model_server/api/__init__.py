"""The transports: each decodes a request, calls the service, encodes the answer."""
