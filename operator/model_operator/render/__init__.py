"""Kubernetes manifests as plain dicts, one module for each concern."""
