"""Members of a group in processes of their own, as TensorFlow's own server cannot be stopped."""

import subprocess
import sys

from server.clients import GrpcClient, HttpClient
from server.conftest import Running, free_port


class MemberProcesses:
    """Servers of one group, by the engine of TensorFlow, that are started and killed one by one."""

    def __init__(self, folder, count=2, timeout_ms=2000):
        self.folder = folder
        self.timeout_ms = timeout_ms
        self.ports = [free_port() for _ in range(count)]
        self.tf_ports = [free_port() for _ in range(count)]
        self.processes = {}

    def start(self, rank):
        """Starts a member, which is not ready yet; what asks it."""
        rest = free_port()
        flags = {
            "model_name": "ranker",
            "model_base_path": self.folder,
            "port": self.ports[rank],
            "rest_api_port": rest,
            "shard_members": ",".join(f"127.0.0.1:{port}" for port in self.ports),
            "shard_rank": rank,
            "shard_tf_ports": ",".join(map(str, self.tf_ports)),
            "shard_timeout_ms": self.timeout_ms,
        }
        arguments = [f"--{name}={value}" for name, value in flags.items()]
        self.processes[rank] = subprocess.Popen(
            [sys.executable, "-m", "model_server", *arguments], stderr=subprocess.DEVNULL
        )
        address = f"127.0.0.1:{self.ports[rank]}"
        return Running(self.processes[rank], GrpcClient(address), HttpClient(rest))

    def kill(self, rank):
        process = self.processes.pop(rank)
        process.kill()
        process.wait()
