"""The operator as a process of its own, beside an API server."""

import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

from api_server import eventually


class OperatorProcess:
    """A running operator, and what it tells about itself."""

    def __init__(self, kubeconfig: Path, log: Path, **environment: str) -> None:
        self.log = log
        defaults = {
            "KUBECONFIG": str(kubeconfig),
            "MODELFLEET_SERVER_IMAGE": "modelfleet/server:test",
            "MODELFLEET_LOG_FORMAT": "text",
            "MODELFLEET_HEALTH_PORT": "0",
        }
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "model_operator"],
                stdout=output,
                stderr=subprocess.STDOUT,
                env=os.environ | defaults | environment,
            )

    def port(self) -> int:
        """The port of health and metrics; it stands in the log once the operator has started."""
        found = eventually(lambda: re.search(r"metrics on port (\d+)", self.log.read_text()))
        return int(found[1])

    def get(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port()}{path}", timeout=180) as answer:
            return str(answer.read().decode())

    def samples(self, metric: str) -> dict[str, float]:
        """The values of a metric, by its labels as they are written."""
        lines = re.findall(rf"^{metric}(\{{.*\}})? (\S+)$", self.get("/metrics"), re.MULTILINE)
        return {labels: float(value) for labels, value in lines}

    def passes(self) -> float:
        return sum(self.samples("modelfleet_reconcile_total").values())

    def requests(self) -> dict[str, float]:
        return self.samples("modelfleet_api_requests_total")

    def stop(self) -> int:
        """End it as a kubelet would, if it still runs; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(180)
