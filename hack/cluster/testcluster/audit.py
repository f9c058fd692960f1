"""What was asked of the API server: its audit log, a line of JSON for each write."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_VERBS = ["create", "update", "patch", "delete", "deletecollection"]


@dataclass(frozen=True)
class Write:
    """A request that changes something. `agent` is the client's User-Agent, `code` HTTP's."""

    agent: str
    verb: str
    resource: str
    namespace: str
    name: str
    code: int


def write_policy(file: Path) -> Path:
    """Tell the API server to note who wrote what, and nothing of what was written."""
    policy = {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [{"level": "Metadata", "verbs": _VERBS}, {"level": "None"}],
    }
    file.write_text(yaml.safe_dump(policy))
    return file


def writes(log: Path) -> list[Write]:
    """All writes so far, oldest first; each is in the log before its client has the answer."""
    lines = log.read_text().splitlines() if log.exists() else []
    return [_write(json.loads(line)) for line in lines]


def _write(event: dict[str, Any]) -> Write:
    about = event.get("objectRef", {})
    resource = "/".join(part for part in (about.get("resource"), about.get("subresource")) if part)
    return Write(
        agent=event.get("userAgent", ""),
        verb=event["verb"],
        resource=resource,
        namespace=about.get("namespace", ""),
        name=about.get("name", ""),
        code=event.get("responseStatus", {}).get("code", 0),
    )
