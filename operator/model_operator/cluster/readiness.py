"""What a model-server or a router in a pod says about itself."""

import json
from typing import Any

import aiohttp

from model_operator.domain import names
from model_operator.domain.errors import UNREADABLE

# Both probes answer at once by contract, even while models load.
_TIMEOUT = aiohttp.ClientTimeout(total=2)
_LONGEST_ANSWER = 64 * 1024


class Readiness:
    """Asks processes over their pods' addresses."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def ask(
        self, address: str, port: int = names.REST_PORT, longest: int = _LONGEST_ANSWER
    ) -> Any:
        """The JSON of the process's /readyz, whatever its HTTP status; None when it is silent."""
        host = f"[{address}]" if ":" in address else address
        url = f"http://{host}:{port}/readyz"
        try:
            async with self._session.get(url, timeout=_TIMEOUT, allow_redirects=False) as response:
                answer = b""
                async for chunk in response.content.iter_any():
                    answer += chunk
                    if len(answer) > longest:
                        return None
            return json.loads(answer)
        except (aiohttp.ClientError, TimeoutError, OSError, *UNREADABLE):
            return None
