"""The use cases, once for all transports: plain values in, plain values out, from any thread."""
