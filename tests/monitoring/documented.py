"""What the documentation lets users copy about Prometheus."""

import re
from pathlib import Path
from typing import Any

import yaml

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to"
_BLOCK = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)
_QUERY = re.compile(r"^```promql\n(.*?)^```", re.MULTILINE | re.DOTALL)


def block(page: str, beginning: str) -> Any:
    """The content of the only YAML block of a how-to that begins so."""
    text = (HOW_TO / f"{page}.md").read_text()
    [found] = [part for part in _BLOCK.findall(text) if part.startswith(beginning)]
    return yaml.safe_load(found)


def scrape_jobs() -> list[dict[str, Any]]:
    """The jobs of a Prometheus without the Prometheus Operator."""
    jobs: list[dict[str, Any]] = block("watch-with-prometheus", "scrape_configs:")["scrape_configs"]
    return jobs


def analysis() -> dict[str, Any]:
    """The wishes of `spec.rollout.analysis` with every query that is shown."""
    found: dict[str, Any] = block("judge-by-your-own-numbers", "spec:")["spec"]["rollout"]
    return dict(found["analysis"])


def requests_by_variant() -> str:
    """The query for that."""
    [found] = _QUERY.findall((HOW_TO / "watch-with-prometheus.md").read_text())
    return str(found)
