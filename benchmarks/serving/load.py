"""Load by h2load (gRPC, HTTP/2) and wrk (REST), and what they saw."""

import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.serving.wire import Protocol

_COUNTS = re.compile(r"requests: .*? (\d+) done, (\d+) succeeded")
_DATA = re.compile(r"traffic: .*\((\d+)\) data")
_WRK = re.compile(r"(\d+) requests in ([\d.]+)(m?)s")
_WRK_LATENCY = re.compile(r"^\s+(50|99)%\s+([\d.]+)(us|ms|s)", re.MULTILINE)
_WRK_FAILED = re.compile(r"Non-2xx or 3xx responses: (\d+)|Socket errors: connect (\d+)")
_MILLISECONDS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


@dataclass(frozen=True)
class Seen:
    """Requests a second, latencies in milliseconds, and requests that were not answered well."""

    rate: float
    p50: float
    p99: float
    requests: int
    failed: int


@dataclass(frozen=True)
class Clients:
    """So many connections with so many requests on each at a time.

    For so many seconds, after others that are not counted.
    """

    connections: int
    streams: int = 1
    seconds: float = 2.0
    warm_up: float = 1.0


def over_grpc(port: int, protocol: Protocol, clients: Clients, answer_bytes: int) -> Seen:
    """Sends the protocol's gRPC request; an answer of another size than ``answer_bytes`` failed.

    h2load does not look at trailers, but an error has no message.
    """
    warm_up = [f"--warm-up-time={clients.warm_up * 1000:.0f}ms"] if clients.warm_up else []
    with tempfile.TemporaryDirectory() as folder:
        frame, log = Path(folder, "frame"), Path(folder, "log")
        frame.write_bytes(protocol.grpc_frame)
        said = _run(
            "h2load", f"--clients={clients.connections}", "--threads=1",
            f"--max-concurrent-streams={clients.streams}",
            f"--duration={clients.seconds * 1000:.0f}ms", *warm_up,
            f"--data={frame}", f"--log-file={log}",
            "--header=content-type: application/grpc", "--header=te: trailers",
            f"http://127.0.0.1:{port}{protocol.grpc_path}",
        )  # fmt: skip
        times = sorted(int(line.split("\t")[2]) for line in log.read_text().splitlines())
    counts, data = _COUNTS.search(said), _DATA.search(said)
    if counts is None or data is None or not times:
        raise RuntimeError(f"h2load says: {said}")
    done, succeeded = map(int, counts.groups())
    wrong = done - round(int(data[1]) / answer_bytes)
    # An answer may straddle the end.
    failed = done - succeeded + (wrong if wrong > clients.connections * clients.streams else 0)
    return Seen(
        done / clients.seconds, _at(times, 0.5) / 1000, _at(times, 0.99) / 1000, done, failed
    )


def over_rest(port: int, protocol: Protocol, clients: Clients) -> Seen:
    """Posts the protocol's REST request."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "post.lua")
        body = Path(folder, "body")
        body.write_bytes(protocol.rest_body)
        script.write_text(
            'wrk.method = "POST"\n'
            'wrk.headers["Content-Type"] = "application/json"\n'
            f'wrk.body = io.open("{body}", "rb"):read("*a")\n'
        )
        url = f"http://127.0.0.1:{port}{protocol.rest_path}"
        command = ("wrk", "-t1", f"-c{clients.connections}", f"-s{script}", "--latency", url)
        _run(*command, f"-d{max(round(clients.warm_up), 1)}")
        said = _run(*command, f"-d{max(round(clients.seconds), 1)}")
    counts = _WRK.search(said)
    if counts is None:
        raise RuntimeError(f"wrk says: {said}")
    seconds = float(counts[2]) * (60 if counts[3] else 1)
    latency = {
        percent: float(number) * _MILLISECONDS[unit]
        for percent, number, unit in _WRK_LATENCY.findall(said)
    }
    failed = sum(int(one or other) for one, other in _WRK_FAILED.findall(said))
    requests = int(counts[1])
    return Seen(requests / seconds, latency["50"], latency["99"], requests, failed)


def _at(ordered: list[int], share: float) -> int:
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stdout[-1000:]}{done.stderr[-1000:]}")
    return done.stdout
