"""Envoy: its process, its configuration service, and the order in which changes reach it."""
