"""A whole cluster behaves as any Kubernetes: pods, DNS, Services, exec, logs, port-forward."""

import json
import re
import subprocess
import urllib.request
from collections.abc import Iterator

import pytest

from cluster_command import in_pod, run
from testcluster import Cluster, ClusterError, CommandFailed, binaries

pytestmark = pytest.mark.cluster

IMAGE = "localhost/testcluster/tried:dev"


def test_a_pod_finds_a_service_by_its_short_name(cluster: Cluster, web: str) -> None:
    address = cluster.kubectl(
        "get", "service", "web", "-n", web, "-o", "jsonpath={.spec.clusterIP}"
    )

    assert in_pod(cluster, web, "lookup", "web").strip() == address


def test_a_service_answers_pods_even_the_one_it_stands_for(cluster: Cluster, web: str) -> None:
    pods = cluster.kubectl("get", "pods", "-n", web, "-l", "app=web", "-o", "name").split()

    answers = {in_pod(cluster, web, "get", "http://web") for _ in range(20)}

    assert {f"pod/{answer.strip()}" for answer in answers} == set(pods)


def test_the_api_server_is_a_service(cluster: Cluster, web: str) -> None:
    with pytest.raises(CommandFailed, match="certificate"):
        in_pod(cluster, web, "get", "https://kubernetes.default.svc/version")


def test_a_name_outside_is_not_found(cluster: Cluster, web: str) -> None:
    with pytest.raises(CommandFailed, match="no such host"):
        in_pod(cluster, web, "lookup", "example.com")


def test_nothing_outside_can_be_reached(cluster: Cluster, web: str) -> None:
    with pytest.raises(CommandFailed, match="network is unreachable"):
        in_pod(cluster, web, "get", "http://192.0.2.1")


def test_what_a_pod_says_is_in_its_logs(cluster: Cluster, web: str) -> None:
    assert "serving on" in cluster.kubectl("logs", "-n", web, "deployment/web")


def test_the_exit_code_of_kubectl_is_passed_on(cluster: Cluster, web: str) -> None:
    command = ("kubectl", "--name", cluster.name, "--", "exec", "-n", web, "deployment/web", "--")

    assert run(*command, "/pod", "nonsense").returncode == 2


def test_a_port_can_be_forwarded_to_this_machine(cluster: Cluster, web: str) -> None:
    kubectl = str(binaries.location("kubectl"))
    forwarding = [kubectl, "port-forward", "-n", web, "service/web", ":80"]
    with subprocess.Popen(
        forwarding, stdout=subprocess.PIPE, text=True, env=cluster.environment()
    ) as running:
        assert running.stdout is not None
        port = re.findall(r"127.0.0.1:(\d+)", running.stdout.readline())[0]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}", timeout=180) as answer:
            said = answer.read().decode()
        running.terminate()

    assert said.startswith("web-")


def test_pods_answer_whoever_steps_inside(cluster: Cluster, web: str) -> None:
    address = cluster.kubectl(
        *("get", "pods", "-n", web, "-l", "app=web", "-o", "jsonpath={.items[0].status.podIP}")
    )
    command = cluster.inside(str(binaries.location("pod")), "get", f"http://{address}:8080")

    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert said.startswith("web-")


def test_helm_is_at_hand(cluster: Cluster) -> None:
    listed = run("helm", "--name", cluster.name, "list", "-A")

    assert listed.returncode == 0, listed.stderr
    assert listed.stdout.startswith("NAME")


def test_up_again_starts_nothing(cluster: Cluster) -> None:
    again = run("up", "--name", cluster.name)

    assert (again.returncode, again.stderr) == (0, "")


def test_a_node_can_be_given_accelerators(cluster: Cluster) -> None:
    cluster.accelerate("node-1", {"nvidia.com/gpu": 4})

    node = json.loads(cluster.kubectl("get", "node", "node-1", "-o", "json"))
    assert node["status"]["allocatable"]["nvidia.com/gpu"] == "4"
    assert node["metadata"]["labels"]["nvidia.com/gpu.product"] == "NVIDIA-A100-SXM4-80GB"


def test_a_node_that_is_not_there_cannot(cluster: Cluster) -> None:
    with pytest.raises(ClusterError, match='nodes "node-9" not found'):
        cluster.accelerate("node-9", {"nvidia.com/gpu": 4})


@pytest.fixture
def built_image() -> Iterator[str]:
    """A small image in buildah's storage."""
    container = _buildah("from", "scratch")
    _buildah("copy", container, str(binaries.location("pod")), "/pod")
    _buildah("config", "--entrypoint", '["/pod"]', container)
    _buildah("commit", "--quiet", "--rm", container, IMAGE)
    yield IMAGE
    _buildah("rmi", IMAGE)


def _buildah(*words: str) -> str:
    command = ["buildah", "--storage-driver=overlay", *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_an_image_of_this_machine_runs_once_it_is_loaded(
    cluster: Cluster, built_image: str
) -> None:
    cluster.load(built_image)
    cluster.load(built_image)

    run = ("run", "tried", "--image", built_image, "--image-pull-policy=Never", "--restart=Never")
    cluster.kubectl(*run, "--", "lookup", "kubernetes.default.svc.cluster.local")
    # Not "--attach": of a container that ends at once, it may miss what was said.
    ended = "--for=jsonpath={.status.phase}=Succeeded"
    cluster.kubectl("wait", "pod/tried", ended, "--timeout=120s")
    said = cluster.kubectl("logs", "tried")
    cluster.kubectl("delete", "pod", "tried", "--now")
    assert said.strip() == "10.96.0.1"


def test_an_image_that_is_not_there_is_named(cluster: Cluster) -> None:
    with pytest.raises(ClusterError, match="buildah has no image localhost/absent:dev"):
        cluster.load("localhost/absent:dev")
