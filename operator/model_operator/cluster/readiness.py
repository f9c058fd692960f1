"""What a model-server in a pod says about itself."""

import json
from typing import Any

import aiohttp

from model_operator.domain import names

# Both probes answer at once by contract, even while models load.
_TIMEOUT = aiohttp.ClientTimeout(total=2)
_LONGEST_ANSWER = 64 * 1024


class Readiness:
    """Asks servers over their pods' addresses."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def ask(self, address: str) -> Any:
        """The JSON of the server's /readyz, whatever its HTTP status; None when it is silent."""
        host = f"[{address}]" if ":" in address else address
        url = f"http://{host}:{names.REST_PORT}/readyz"
        try:
            async with self._session.get(url, timeout=_TIMEOUT, allow_redirects=False) as response:
                answer = b""
                async for chunk in response.content.iter_any():
                    answer += chunk
                    if len(answer) > _LONGEST_ANSWER:
                        return None
            return json.loads(answer)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return None
