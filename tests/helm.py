"""Helm and the project's chart, as tests use them."""

import subprocess
from pathlib import Path
from typing import Any

import yaml

from testcluster import binaries
from testcluster.progress import Progress

CHART = Path(__file__).parents[1] / "charts" / "modelfleet"


class HelmFailed(Exception):
    """Helm ended with an error; the text is what it said."""


def helm(*words: str) -> str:
    """What helm prints.

    Raises:
        HelmFailed: with what it said.
    """
    binaries.provide(["helm"], Progress(quiet=True))
    ended = subprocess.run(
        [binaries.location("helm"), *words], capture_output=True, text=True, check=False
    )
    if ended.returncode != 0:
        raise HelmFailed(ended.stderr + ended.stdout)
    return ended.stdout


def rendered(*values: str, release: str = "modelfleet") -> list[dict[str, Any]]:
    """The objects the chart makes, with `--set` values."""
    version = binaries.kubernetes_version()
    settings = [word for value in values for word in ("--set", value)]
    place = ["--namespace", "modelfleet-system", "--kube-version", version]
    text = helm("template", release, str(CHART), *place, *settings)
    return [item for item in yaml.safe_load_all(text) if item]
