"""The few requests that the test cluster itself makes to its API server."""

import http.client
import json
import ssl
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from testcluster.certificates import KeyPair
from testcluster.failures import ClusterError

_APPLY = "application/apply-patch+yaml"
_MERGE = "application/merge-patch+json"
_FIELD_MANAGER = "testcluster"


@dataclass(frozen=True)
class Api:
    """The administrator's view of one API server on loopback."""

    port: int
    authority: Path
    client: KeyPair

    def is_ready(self) -> bool:
        """Whether the API server answers and has finished its start."""
        try:
            status, _ = self._ask("GET", "/readyz")
        except (OSError, http.client.HTTPException):
            return False
        return status == 200

    def get(self, path: str) -> Any:
        """An object or a list, parsed.

        Raises:
            ClusterError: the API server refuses.
        """
        return self._answer("GET", path)

    def apply(self, path: str, manifest: dict[str, Any]) -> None:
        """Server-side apply of one object. Raises ClusterError when it is refused."""
        query = f"?fieldManager={_FIELD_MANAGER}&force=true"
        self._answer("PATCH", path + query, json.dumps(manifest), _APPLY)

    def merge(self, path: str, patch: dict[str, Any]) -> None:
        """Merge fields into an object. Raises ClusterError when it is refused."""
        self._answer("PATCH", path, json.dumps(patch), _MERGE)

    def create(self, path: str, manifest: dict[str, Any]) -> None:
        """Create an object in the collection at `path`. Raises ClusterError when refused."""
        self._answer("POST", path, json.dumps(manifest), "application/json")

    def _answer(self, method: str, path: str, body: str | None = None, kind: str = "") -> Any:
        status, answer = self._ask(method, path, body, kind)
        if status >= 300:
            raise ClusterError(f"the API server refuses {method} {path}: {_message(answer)}")
        return json.loads(answer)

    def _ask(
        self, method: str, path: str, body: str | None = None, kind: str = ""
    ) -> tuple[int, str]:
        connection = http.client.HTTPSConnection(
            "127.0.0.1", self.port, timeout=10, context=self._context
        )
        try:
            connection.request(method, path, body, {"Content-Type": kind} if kind else {})
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    @cached_property
    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.authority)
        context.load_cert_chain(self.client.certificate, self.client.key)
        return context


def _message(answer: str) -> str:
    """What a Status object says; other answers, such as a proxy's, as they are."""
    try:
        return str(json.loads(answer)["message"])
    except (ValueError, KeyError, TypeError):
        return answer[:500]
