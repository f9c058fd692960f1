"""What keeps a router from following its namespace at all."""

from __future__ import annotations


class NotConnected(Exception):
    """Neither a kubeconfig nor a service account says where the API server is."""
