"""Kubeconfigs: how a client finds the API server and proves who it is."""

import base64
from pathlib import Path

import yaml

from testcluster.certificates import KeyPair


def write(file: Path, server: str, authority: Path, client: KeyPair) -> Path:
    """Write a kubeconfig that needs no other file; `server` is a URL."""
    file.touch(mode=0o600)
    file.write_text(yaml.safe_dump(_kubeconfig(server, authority, client), sort_keys=False))
    return file


def _kubeconfig(server: str, authority: Path, client: KeyPair) -> dict[str, object]:
    name = "testcluster"
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": name,
                "cluster": {"server": server, "certificate-authority-data": _encoded(authority)},
            }
        ],
        "users": [
            {
                "name": name,
                "user": {
                    "client-certificate-data": _encoded(client.certificate),
                    "client-key-data": _encoded(client.key),
                },
            }
        ],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }


def _encoded(file: Path) -> str:
    return base64.b64encode(file.read_bytes()).decode()
