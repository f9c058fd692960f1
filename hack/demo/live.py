"""Live traffic: callers inside the cluster, and what they were answered so far."""

import json
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from string import Template

from place import NAMESPACE, ROOT, DemoError, Place

HERE = Path(__file__).parent
POD = "caller"


@dataclass(frozen=True)
class Came:
    """Requests of both protocols, by the version that answered or the code of the failure."""

    grpc: Mapping[str, int]
    rest: Mapping[str, int]

    @property
    def requests(self) -> int:
        """All of them."""
        return sum(self.all.values())

    @property
    def failures(self) -> Counter[str]:
        """Those without an answer, by code."""
        return Counter({what: n for what, n in self.all.items() if not what.startswith("version ")})

    @property
    def fewest(self) -> int:
        """The requests of the protocol that has fewer."""
        return min(sum(self.grpc.values()), sum(self.rest.values()))

    @property
    def all(self) -> Counter[str]:
        """Both protocols together."""
        return Counter(self.grpc) + Counter(self.rest)

    def of(self, version: int) -> int:
        """How many a version answered."""
        return self.all[f"version {version}"]

    def since(self, before: "Came") -> "Came":
        """What came after `before`."""
        return Came(
            Counter(self.grpc) - Counter(before.grpc), Counter(self.rest) - Counter(before.rest)
        )


NOTHING = Came({}, {})


def parse(line: str) -> Came:
    """One line of caller.py."""
    said = json.loads(line)
    return Came(said["gRPC"], said["REST"])


class Calls:
    """The calls of one pod while they go on."""

    def __init__(self, calling: subprocess.Popen[str]) -> None:
        self._calling = calling
        self._came = NOTHING
        self._last: dict[str, float] = {}
        self._said = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def came(self) -> Came:
        """Until a moment ago. Raises DemoError when the callers have ended by themselves."""
        if self._calling.poll() is not None:
            raise DemoError(f"the callers ended: {self._said}")
        return self._came

    def last(self, version: int) -> float:
        """When the newest answer of a version was told, by time.monotonic; 0 before there is one.

        A tenth of a second late at most, beside what the connection takes.
        """
        return self._last.get(f"version {version}", 0.0)

    def until(self, enough: Callable[[Came], bool], within: float = 120.0) -> Came:
        """What came, as soon as it is enough.

        Raises:
            DemoError: it is not, in so many seconds.
        """
        last = time.monotonic() + within
        while not enough(came := self.came):
            if time.monotonic() > last:
                raise DemoError(f"callers got, in {within:g} s, no more than {came.all}")
            time.sleep(0.1)
        return came

    def end(self) -> Came:
        """End the calls; all that came."""
        assert self._calling.stdin is not None
        self._calling.stdin.close()
        try:
            self._calling.wait(timeout=60)
        finally:
            self._calling.kill()
        self._reader.join()
        return self._came

    def _read(self) -> None:
        assert self._calling.stdout is not None
        for line in self._calling.stdout:
            try:
                came = parse(line)
            except (ValueError, KeyError):
                self._said += line
                continue
            self._last |= dict.fromkeys(came.since(self._came).all, time.monotonic())
            self._came = came


@contextmanager
def calls(place: Place, name: str) -> Iterator[Calls]:
    """Callers of a ModelDeployment, while the body runs."""
    program = ("python3", "/caller/caller.py", name)
    with subprocess.Popen(
        [*place.kubectl_command, "exec", "-i", "-n", NAMESPACE, POD, "--", *program],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as calling:
        going_on = Calls(calling)
        try:
            yield going_on
        finally:
            going_on.end()


def start_pod(place: Place) -> None:
    """The pod that the callers run in. Raises DemoError."""
    config = place.kubectl(
        *("create", "configmap", "-n", NAMESPACE, POD, f"--from-file={HERE / 'caller.py'}"),
        *("--dry-run=client", "-o", "yaml"),
    )
    place.kubectl("apply", "-f", "-", stdin=config)
    manifest = Template((HERE / "caller.yaml").read_text())
    place.kubectl("delete", "pod", "-n", NAMESPACE, POD, "--ignore-not-found")
    place.kubectl("apply", "-f", "-", stdin=manifest.substitute(SERVER_IMAGE=place.image("server")))
    place.kubectl(
        *("wait", "-n", NAMESPACE, f"pod/{POD}", "--for=condition=Ready", "--timeout=120s")
    )
