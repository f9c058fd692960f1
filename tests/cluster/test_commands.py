"""The control plane listens where it is told, and nowhere else."""

from pathlib import Path

import pytest

from testcluster import commands
from testcluster.certificates import KeyPair
from testcluster.commands import Audit, Controllers, Credentials, Listening

AT = Listening("127.0.0.1", 6443, 2379, 2380)
PAIR = KeyPair(Path("/c.crt"), Path("/c.key"))
CREDENTIALS = Credentials(Path("/ca.crt"), PAIR, PAIR, Path("/sa.key"))
CONTROLLERS = Controllers(Path("/kubeconfig"), 10257)


@pytest.mark.parametrize(
    ("command", "flag"),
    [
        (
            commands.etcd(Path("etcd"), Path("/data"), AT),
            "--listen-client-urls=http://127.0.0.1:2379",
        ),
        (
            commands.etcd(Path("etcd"), Path("/data"), AT),
            "--listen-peer-urls=http://127.0.0.1:2380",
        ),
        (
            commands.api_server(
                Path("kube-apiserver"), AT, CREDENTIALS, Audit(Path("/policy"), Path("/log"))
            ),
            "--bind-address=127.0.0.1",
        ),
        (commands.scheduler(Path("kube-scheduler"), CONTROLLERS), "--bind-address=127.0.0.1"),
        (
            commands.controller_manager(Path("manager"), CONTROLLERS, CREDENTIALS),
            "--bind-address=127.0.0.1",
        ),
    ],
)
def test_every_program_is_bound_to_an_address(command: list[str], flag: str) -> None:
    assert flag in command


def test_without_controllers_pods_need_no_service_account() -> None:
    assert "--disable-admission-plugins=ServiceAccount" in commands.on_loopback(False)


def test_with_controllers_pods_get_service_accounts_as_everywhere() -> None:
    assert "--disable-admission-plugins=ServiceAccount" not in commands.on_loopback(True)
