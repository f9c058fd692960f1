"""Asks a Prometheus, or anything that speaks its HTTP API (Thanos, Mimir, VictoriaMetrics)."""

import logging
import os
import ssl

import aiohttp

from model_operator.domain.evidence.promql import Answer
from model_operator.prometheus.answers import answer_of
from model_operator.settings import PrometheusSettings

logger = logging.getLogger(__name__)

# One number takes some hundred bytes; a query may match every time series there is.
_LONGEST_ANSWER = 64 * 1024
_TOO_LONG = "the query gives more than 64 KiB, not one number; sum() or max() makes one of it"


class Prometheus:
    """One query at a time: the answer is a number or a trouble, and never an exception."""

    def __init__(self, session: aiohttp.ClientSession, settings: PrometheusSettings) -> None:
        self._session = session
        self._settings = settings
        self._timeout = aiohttp.ClientTimeout(total=settings.timeout_seconds)
        self._failure = ""

    async def ask(self, namespace: str, query: str) -> Answer:
        """What an instant query gives now, asked for a user of that namespace."""
        try:
            answer = await self._ask(namespace, query)
        except TimeoutError:
            within = f"within {self._settings.timeout_seconds:g} s"
            self._log(within)
            return Answer(None, f"Prometheus did not answer {within}")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            self._log(str(error))
            return Answer(None, _what_failed(error))
        self._failure = ""
        return answer

    def _log(self, failure: str) -> None:
        """Once, not for every query: where Prometheus is concerns the administrator, no user."""
        if failure != self._failure:
            logger.warning("no answer from %s: %s", self._settings.url, failure)
        self._failure = failure

    async def _ask(self, namespace: str, query: str) -> Answer:
        parameters = {"query": query, "timeout": f"{self._settings.timeout_seconds:g}s"}
        if self._settings.namespace_parameter:
            parameters[self._settings.namespace_parameter] = namespace
        async with self._session.get(
            f"{self._settings.url}/api/v1/query",
            params=parameters,
            headers=self._headers(),
            ssl=self._trusted(),
            timeout=self._timeout,
            allow_redirects=False,
        ) as response:
            body = b""
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > _LONGEST_ANSWER:
                    return Answer(None, _TOO_LONG)
            return answer_of(response.status, body)

    def _headers(self) -> dict[str, str]:
        # Not compressed: a few bytes may stand for very many.
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        if self._settings.token_file:
            # Read each time, since tokens are renewed in place.
            token = self._settings.token_file.read_text(encoding="ascii")
            headers["Authorization"] = f"Bearer {token.strip()}"
        return headers

    def _trusted(self) -> ssl.SSLContext | bool:
        ca_file = self._settings.ca_file
        return ssl.create_default_context(cafile=ca_file) if ca_file else True


def _what_failed(error: Exception) -> str:
    match error:
        case aiohttp.ClientSSLError():
            return "Prometheus cannot be reached: its TLS certificate or that of its CA is wrong"
        case aiohttp.ClientConnectorDNSError():
            return "Prometheus cannot be reached: its name is not known"
        case aiohttp.ClientConnectorError():
            return f"Prometheus cannot be reached: {os.strerror(error.os_error.errno or 0)}"
        case aiohttp.ClientError():
            return "Prometheus broke off"
        case _:
            return "the CA or the token for Prometheus cannot be read"
