"""A real Prometheus beside a test: Debian's, with what it scrapes."""

import json
import re
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from api_server import eventually

EVERY = "200ms"


@dataclass(frozen=True)
class RealPrometheus:
    """A running one, by its address."""

    url: str
    folder: Path

    def watch(self, *addresses: str, path: str = "/metrics", **labels: str) -> None:
        """Scrape these `HOST:PORT` as well, from now on."""
        file = self.folder / f"{len(list(self.folder.glob('*.json')))}.json"
        groups = [{"targets": addresses, "labels": labels | {"__metrics_path__": path}}]
        # Written beside and moved, so that nobody reads half a file.
        file.with_suffix(".new").write_text(json.dumps(groups))
        file.with_suffix(".new").rename(file)

    def query(self, query: str) -> list[dict[str, Any]]:
        """The samples of an instant vector."""
        parameters = urllib.parse.urlencode({"query": query})
        with urllib.request.urlopen(f"{self.url}/api/v1/query?{parameters}", timeout=180) as answer:
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return found


def program(name: str) -> str:
    """The path of prometheus or promtool."""
    found = shutil.which(name)
    assert found, f"{name} is missing; hack/tools installs it"
    return found


def promtool(*words: str) -> tuple[int, str]:
    """How promtool ended, and what it said."""
    ended = subprocess.run(
        [program("promtool"), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return ended.returncode, ended.stdout


def remember(folder: Path, samples: Mapping[str, float]) -> None:
    """Let the Prometheus that will run in `folder` have these time series, of this moment.

    What it scrapes itself it has only after more than 5 seconds.
    """
    lines = [f"{series} {value} {time.time():.3f}" for series, value in sorted(samples.items())]
    file = folder / "samples.txt"
    file.write_text("\n".join([*lines, "# EOF\n"]))
    command = ("tsdb", "create-blocks-from", "openmetrics", "--quiet")
    code, said = promtool(*command, str(file), str(folder / "series"))
    assert code == 0, said


@contextmanager
def prometheus(folder: Path, *jobs: dict[str, Any]) -> Iterator[RealPrometheus]:
    """A Prometheus with these scrape jobs, and one of what it is told to watch later."""
    config, log = folder / "prometheus.yml", folder / "prometheus.log"
    told = {"job_name": "told", "file_sd_configs": [{"files": [str(folder / "*.json")]}]}
    chosen = {"global": {"scrape_interval": EVERY, "scrape_timeout": EVERY}}
    config.write_text(yaml.safe_dump(chosen | {"scrape_configs": [told, *jobs]}))
    command = [
        program("prometheus"),
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'series'}",
        "--web.listen-address=127.0.0.1:0",
    ]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield RealPrometheus(f"http://{eventually(lambda: _address(log, process))}", folder)
    finally:
        process.terminate()
        process.wait(180)


def _address(log: Path, process: "subprocess.Popen[bytes]") -> str:
    said = log.read_text()
    assert process.poll() is None, said
    found = re.search(r'msg="Listening on" address=(\S+)', said)
    return found[1] if found and "ready to receive web requests" in said else ""
