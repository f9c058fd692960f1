"""The API server, as kubectl would reach it."""
