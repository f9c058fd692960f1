"""The only code that writes to the API server, and that reads from it beside watches."""

import json
import time
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio.client import ApiClient

from model_operator.cluster.connection import NotConnected
from model_operator.domain import conditions, names
from model_operator.domain.errors import ApiError
from model_operator.domain.manifests import Manifest, ObjectKey
from model_operator.domain.seen.gangs import Release
from model_operator.domain.seen.pods import Pod
from model_operator.domain.wish.spec import Identity

# How a request ended: verb, kind, HTTP status (0 when no answer came), and after how many seconds.
RequestObserver = Callable[[str, str, int, float], None]

_APPLY = "application/apply-patch+yaml"
_MERGE = "application/strategic-merge-patch+json"
# A hung request must not hold a worker; the pass is repeated with back-off.
_TIMEOUT_SECONDS = 15
_PAGE = 500
_FORBIDDEN = 403
_NOT_FOUND = 404
_CONFLICT = 409
_PATHS = {
    "Deployment": ("/apis/apps/v1", "deployments"),
    "StatefulSet": ("/apis/apps/v1", "statefulsets"),
    "Secret": ("/api/v1", "secrets"),
    "ControllerRevision": ("/apis/apps/v1", "controllerrevisions"),
    "Service": ("/api/v1", "services"),
    "ConfigMap": ("/api/v1", "configmaps"),
    "NetworkPolicy": ("/apis/networking.k8s.io/v1", "networkpolicies"),
    "PodDisruptionBudget": ("/apis/policy/v1", "poddisruptionbudgets"),
    "ServiceAccount": ("/api/v1", "serviceaccounts"),
    "RoleBinding": ("/apis/rbac.authorization.k8s.io/v1", "rolebindings"),
    "Event": ("/apis/events.k8s.io/v1", "events"),
    "Node": ("/api/v1", "nodes"),
    "Pod": ("/api/v1", "pods"),
    names.KIND: (f"/apis/{names.API_VERSION}", names.PLURAL),
}


class Cluster:
    """Server-side apply, deletion and single reads, all by one field manager."""

    def __init__(self, api: ApiClient, observe_request: RequestObserver) -> None:
        self._api = api
        self._observe_request = observe_request

    async def require_api(self) -> None:
        """Make sure that the API server knows ModelDeployments.

        Raises:
            NotConnected: it does not, or cannot be reached.
        """
        try:
            await self._request("GET", "APIResourceList", f"/apis/{names.API_VERSION}")
        except ApiError as error:
            hint = "; install crds/ of this release first" if error.status == 404 else ""
            raise NotConnected(f"{error}{hint}") from error

    async def apply(self, manifest: Manifest) -> Manifest:
        """Make the object hold what the manifest says; the fields of others stay theirs.

        Raises:
            ApiError: refused, or the object with the manifest's uid is gone (409).
        """
        path = _path(manifest["kind"], manifest["metadata"]["namespace"])
        path = f"{path}/{manifest['metadata']['name']}"
        applied = await self._request("PATCH", manifest["kind"], path, manifest, _APPLY)
        return applied | {"apiVersion": manifest["apiVersion"], "kind": manifest["kind"]}

    async def apply_status(self, identity: Identity, status: Manifest) -> Manifest:
        """Write the status subresource; parts that are absent now and were written before go.

        Raises:
            ApiError: refused, or there is no such object any more.
        """
        path = f"{_path(names.KIND, identity.namespace)}/{identity.name}/status"
        manifest = {
            "apiVersion": names.API_VERSION,
            "kind": names.KIND,
            "metadata": {
                "name": identity.name,
                "namespace": identity.namespace,
                "uid": identity.uid,
            },
            "status": status,
        }
        return await self._request("PATCH", names.KIND, path, manifest, _APPLY)

    async def create_once(self, manifest: Manifest) -> None:
        """Create the object unless there is one of that name; what that holds is not looked at.

        Raises:
            ApiError: refused. The message never holds a part of the manifest.
        """
        path = _path(manifest["kind"], manifest["metadata"]["namespace"])
        try:
            await self._request("POST", manifest["kind"], path, manifest)
        except ApiError as error:
            if error.status != _CONFLICT:
                raise

    async def delete(self, namespace: str, key: ObjectKey, uid: str) -> None:
        """Delete that very object, if it is still there.

        Raises:
            ApiError: refused. Not when the object is gone or another one bears its name.
        """
        options = {"propagationPolicy": "Background", "preconditions": {"uid": uid}}
        path = f"{_path(key.kind, namespace)}/{key.name}"
        try:
            await self._request("DELETE", key.kind, path, options)
        except ApiError as error:
            if error.status not in {_NOT_FOUND, _CONFLICT}:
                raise

    async def open_gate(self, namespace: str, pod: Pod, release: Release) -> None:
        """Let the scheduler have a pod, of which other gates stay; nothing if the pod is gone.

        Raises:
            ApiError: refused.
        """
        path = f"{_path('Pod', namespace)}/{pod.name}"
        opened = {names.OPENED_ANNOTATION: conditions.timestamp(release.opened)}
        gate = {"name": names.GANG_GATE, "$patch": "delete"}
        patch = {
            "metadata": {"uid": pod.uid, "annotations": opened},
            "spec": {"nodeSelector": dict(release.selector), "schedulingGates": [gate]},
        }
        try:
            await self._request("PATCH", "Pod", path, patch, _MERGE)
        except ApiError as error:
            if error.status not in {_NOT_FOUND, _CONFLICT}:
                raise

    async def read(self, namespace: str, key: ObjectKey) -> Manifest | None:
        """The object as it is now; None when there is none.

        Raises:
            ApiError: refused.
        """
        path = f"{_path(key.kind, namespace)}/{key.name}"
        try:
            found = await self._request("GET", key.kind, path)
        except ApiError as error:
            if error.status == _NOT_FOUND:
                return None
            raise
        return found | {"kind": key.kind}

    async def all(self, kind: str, field_selector: str = "") -> AsyncIterator[Manifest]:
        """The objects of a kind in the whole cluster, page by page.

        Raises:
            ApiError: refused, or changed too much between two pages (410).
        """
        prefix, plural = _PATHS[kind]
        query = {"limit": str(_PAGE), "fieldSelector": field_selector, "continue": ""}
        while True:
            page = await self._request("GET", kind, f"{prefix}/{plural}?{urlencode(query)}")
            for manifest in page["items"]:
                yield manifest
            query["continue"] = page["metadata"].get("continue") or ""
            if not query["continue"]:
                return

    async def warnings_about(self, namespace: str, uid: str) -> list[Manifest]:
        """The Warning events about an object; none where events may not be listed."""
        fields = {"fieldSelector": f"involvedObject.uid={uid},type=Warning", "limit": str(_PAGE)}
        path = f"/api/v1/namespaces/{namespace}/events?{urlencode(fields)}"
        try:
            found = await self._request("GET", "Event", path)
        except ApiError as error:
            if error.status == _FORBIDDEN:
                return []
            raise
        return list(found["items"])

    async def announce(self, identity: Identity, event: Manifest, now: datetime) -> None:
        """Post a Kubernetes Event about the ModelDeployment.

        Raises:
            ApiError: refused.
        """
        # Unique by microseconds, as the event recorders of client-go name theirs.
        stamp = f"{int(now.timestamp() * 1_000_000):x}"
        manifest = {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {
                "name": f"{identity.name}.{stamp}.{event['reason'].lower()}",
                "namespace": identity.namespace,
            },
            "eventTime": conditions.timestamp(now).replace("Z", ".000000Z"),
            "action": "Reconcile",
            "reportingController": names.GROUP,
            "reportingInstance": names.FIELD_MANAGER,
            "regarding": {
                "apiVersion": names.API_VERSION,
                "kind": names.KIND,
                "namespace": identity.namespace,
                "name": identity.name,
                "uid": identity.uid,
            },
        } | event
        await self._request("POST", "Event", _path("Event", identity.namespace), manifest)

    async def _request(
        self,
        method: str,
        kind: str,
        path: str,
        body: Manifest | None = None,
        content_type: str = "application/json",
    ) -> Manifest:
        query = [("fieldManager", names.FIELD_MANAGER)] if method != "GET" else []
        if content_type == _APPLY:
            query += [("force", "true"), ("fieldValidation", "Strict")]
        headers = {"Content-Type": content_type, "Accept": "application/json"}
        status, began = 0, time.monotonic()
        try:
            prepared = await self._api.param_serialize(
                method,
                path,
                query_params=query,
                header_params=headers,
                body=body,
                auth_settings=["BearerToken"],
            )
            response = await self._api.call_api(*prepared, _request_timeout=_TIMEOUT_SECONDS)
            answer = await response.read()
            status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            reason = str(error) or type(error).__name__
            raise ApiError(f"{method} {path}", 0, reason) from error
        finally:
            self._observe_request(method, kind, status, time.monotonic() - began)
        return _decoded(f"{method} {path}", status, answer)


def _path(kind: str, namespace: str) -> str:
    prefix, plural = _PATHS[kind]
    return f"{prefix}/namespaces/{namespace}/{plural}"


def _decoded(request: str, status: int, answer: bytes) -> Manifest:
    try:
        found: Any = json.loads(answer)
    except ValueError:
        found = {"message": answer[:200].decode(errors="replace")}
    if status >= 400:
        raise ApiError(request, status, str(found.get("message", "no reason given")))
    return dict(found)
