"""What Kubernetes objects say: traffic records in ConfigMaps, ready pods in EndpointSlices; pure.

A traffic record is the text under `record.json` in the ConfigMap MODEL-traffic. The pods of a
revision stand in EndpointSlices with the label modelfleet.dev/revision, which Kubernetes copies
from the revision's Service.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from model_router.record.documents import InvalidDocument
from model_router.record.endpoints import SCHEMA, parse_endpoints

Object = Mapping[str, Any]

RECORD_SELECTOR = (
    "app.kubernetes.io/managed-by=modelfleet,app.kubernetes.io/component=traffic-record"
)
RECORD_KEY = "record.json"
REVISION_LABEL = "modelfleet.dev/revision"
_RECORD_SUFFIX = "-traffic"
_PORTS = {"grpc": "grpcPort", "rest": "restPort"}
# A Service of both families has slices of both, with the same pods.
_FAMILIES = ("IPv4", "IPv6")


def model_of(config_map: Object) -> str:
    """The model whose record the ConfigMap holds; raises InvalidDocument for an odd name."""
    name = str(config_map["metadata"]["name"])
    if not name.endswith(_RECORD_SUFFIX) or name == _RECORD_SUFFIX:
        raise InvalidDocument(f"metadata.name: is {name!r}, must end in {_RECORD_SUFFIX!r}")
    return name.removesuffix(_RECORD_SUFFIX)


def record_text(config_map: Object) -> bytes:
    """The record as the operator wrote it; raises InvalidDocument when there is none."""
    text = (config_map.get("data") or {}).get(RECORD_KEY)
    if text is None:
        raise InvalidDocument(f"data: has no {RECORD_KEY!r}")
    return str(text).encode()


def revision_of(endpoint_slice: Object) -> str | None:
    """The revision whose pods the slice holds, or None if its label is gone."""
    labels = endpoint_slice["metadata"].get("labels") or {}
    return labels.get(REVISION_LABEL)


def endpoints_text(revision: str, slices: Iterable[Object]) -> bytes:
    """The ready pods of one revision as an endpoints document; raises InvalidDocument.

    While no pod is ready, those that are about to end but still answer are taken instead.
    """
    by_family: dict[str, list[Object]] = {}
    for found in slices:
        by_family.setdefault(str(found.get("addressType")), []).append(found)
    chosen = next((by_family[family] for family in _FAMILIES if family in by_family), [])
    pods = _pods(chosen, _is_ready) or _pods(chosen, _still_answers)
    text = json.dumps({"schema": SCHEMA, "revision": revision, "endpoints": pods}).encode()
    parse_endpoints(text)
    return text


def _pods(
    slices: Iterable[Object], counts: Callable[[Mapping[str, Any]], bool]
) -> list[dict[str, Any]]:
    pods = []
    for found in slices:
        endpoints = [e for e in found.get("endpoints") or [] if counts(e.get("conditions") or {})]
        ports = _ports(found) if endpoints else {}
        # All addresses of one endpoint are the same pod; Kubernetes itself uses the first only.
        pods += [{"address": endpoint["addresses"][0], **ports} for endpoint in endpoints]
    return pods


def _ports(endpoint_slice: Object) -> dict[str, int]:
    found = {
        _PORTS[port["name"]]: port.get("port")
        for port in endpoint_slice.get("ports") or []
        if port.get("name") in _PORTS
    }
    missing = [name for name, key in _PORTS.items() if found.get(key) is None]
    if missing:
        name = endpoint_slice["metadata"]["name"]
        raise InvalidDocument(f"ports: {name} has none with the name {' or '.join(missing)}")
    return found


def _is_ready(conditions: Mapping[str, Any]) -> bool:
    # By the API's definition, unknown counts as ready.
    return conditions.get("ready") is not False


def _still_answers(conditions: Mapping[str, Any]) -> bool:
    return bool(conditions.get("serving")) and bool(conditions.get("terminating"))
