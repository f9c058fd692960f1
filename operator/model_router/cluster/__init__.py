"""Kubernetes: the router's own namespace, read and watched, never written to."""
