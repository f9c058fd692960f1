"""How many requests a server answered without Python, as its metrics tell."""

import re

from server.conftest import Running

METRICS = "/monitoring/prometheus/metrics"


def counted(running: Running, model: str, thread: str | None = None) -> float:
    """Of a model: all of them, or those that threads of a kind answered."""
    page = running.http.get(METRICS).text
    of = f'model_name="{model}",thread="{thread or ""}'
    return sum(map(float, re.findall(rf"direct_request_count{{{of}.*?}} (\S+)", page)))
