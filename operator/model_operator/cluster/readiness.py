"""What a model-server or a router in a pod says about itself."""

import json
from dataclasses import dataclass
from typing import Any

import aiohttp

from model_operator.domain import names
from model_operator.domain.errors import UNREADABLE

# Both probes answer at once by contract, even while models load.
_TIMEOUT = aiohttp.ClientTimeout(total=2)
_LONGEST_ANSWER = 64 * 1024


@dataclass(frozen=True)
class Reply:
    """What came back: the HTTP status, and the JSON, None when it is none."""

    status: int
    document: Any


class Readiness:
    """Asks processes over their pods' addresses."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def ask(
        self, address: str, port: int = names.REST_PORT, longest: int = _LONGEST_ANSWER
    ) -> Any:
        """The JSON of the process's /readyz, whatever its HTTP status; None when it is silent."""
        reply = await self.look(address, port, "/readyz", longest)
        return reply.document if reply else None

    async def look(self, address: str, port: int, path: str, longest: int) -> Reply | None:
        """What the process answers under a path; None when it is silent, or says too much."""
        host = f"[{address}]" if ":" in address else address
        url = f"http://{host}:{port}{path}"
        try:
            async with self._session.get(url, timeout=_TIMEOUT, allow_redirects=False) as response:
                answer = b""
                async for chunk in response.content.iter_any():
                    answer += chunk
                    if len(answer) > longest:
                        return None
            return Reply(response.status, _document(answer))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return None


def _document(answer: bytes) -> Any:
    try:
        return json.loads(answer)
    except UNREADABLE:
        return None
