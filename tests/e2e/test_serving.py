"""A ModelDeployment on a real cluster: served, changed, refused, explained, and gone."""

import json
import threading
import urllib.error
from collections.abc import Callable
from pathlib import Path
from string import Template

import pytest

from installed import Installed, eventually, predict

pytestmark = pytest.mark.cluster

Apply = Callable[[str, str], None]


def model(version: int, uri: str = "pvc://models/half_plus_two") -> str:
    return json.dumps({"model": {"uri": uri, "version": version}})


def test_the_demo_ends_with_checked_predictions_and_three_commands_to_try(
    installed: Installed,
) -> None:
    _, _, told = installed.demo_output.partition("Apply ModelDeployment digits")

    assert "gRPC" in told
    assert "REST" in told
    _, _, next_steps = told.partition("Try next:")
    assert next_steps.count("hack/cluster/cluster kubectl") == 3


def test_the_smallest_manifest_serves(installed: Installed, deployment: Apply) -> None:
    deployment("smallest", model(1))

    eventually(lambda: installed.is_ready("smallest"))
    with installed.rest("smallest") as url:
        assert predict(url, [1.0, 2.0, 5.0]) == [2.5, 3.0, 4.5]


def test_a_change_of_version_loses_no_request(installed: Installed, deployment: Apply) -> None:
    deployment("changing", model(1))
    eventually(lambda: installed.is_ready("changing"))
    answers: set[float] = set()
    lost: list[str] = []
    enough = threading.Event()

    def ask_on_and_on() -> None:
        # From inside the cluster and with a connection for each request, as many clients do:
        # a port-forward would stay with the pod it began with.
        while not enough.is_set():
            said = installed.kubectl("exec", "asker", "--", "ask", "changing", check=False)
            for line in said.splitlines():
                try:
                    answers.add(json.loads(line)["predictions"][0])
                except (ValueError, KeyError):
                    lost.append(line)

    installed.kubectl("apply", "-f", "-", stdin=asker(installed))
    installed.kubectl("wait", "pod/asker", "--for=condition=Ready", "--timeout=180s")
    asking = threading.Thread(target=ask_on_and_on)
    asking.start()
    try:
        eventually(lambda: 2.5 in answers)
        deployment("changing", model(2))
        eventually(lambda: installed.is_ready("changing") and 3.0 in answers)
        eventually(
            lambda: len(installed.get("deployments", "-l", selector("changing"))["items"]) == 1
        )
    finally:
        enough.set()
        asking.join()

    assert lost == []
    assert answers == {2.5, 3.0}


def test_a_version_that_is_not_there_is_named_and_the_old_one_serves_on(
    installed: Installed, deployment: Apply
) -> None:
    deployment("missing", model(1))
    eventually(lambda: installed.is_ready("missing"))

    deployment("missing", model(77))

    # First it only waits; then the server itself is asked, and says which versions there are.
    eventually(lambda: installed.condition("missing", "Ready").get("reason") == "VersionNotFound")
    message = installed.condition("missing", "Ready")["message"]
    assert "77" in message
    assert "half_plus_two; found versions 1, 2" in message
    assert installed.condition("missing", "Available")["status"] == "True"
    with installed.rest("missing") as url:
        assert predict(url, [1.0]) == [2.5]
    restarts = [
        container["restartCount"]
        for pod in installed.get("pods", "-l", selector("missing"))["items"]
        for container in pod["status"]["containerStatuses"]
    ]
    assert set(restarts) == {0}


def test_a_deleted_deployment_takes_its_children_along(
    installed: Installed, deployment: Apply
) -> None:
    deployment("short-lived", model(1))
    eventually(lambda: installed.is_ready("short-lived"))

    installed.kubectl("delete", "modeldeployment", "short-lived")

    kinds = "deployments,replicasets,pods,services,configmaps,controllerrevisions"
    eventually(lambda: not installed.get(kinds, "-l", selector("short-lived"))["items"])


def test_a_settled_deployment_is_not_written_to(installed: Installed, deployment: Apply) -> None:
    deployment("settled", model(1))
    eventually(lambda: installed.is_ready("settled"))
    kinds = "modeldeployments,deployments,services,configmaps,controllerrevisions"

    def versions() -> dict[str, str]:
        return {
            f"{item['kind']}/{item['metadata']['name']}": item["metadata"]["resourceVersion"]
            for item in installed.get(kinds)["items"]
            if item["metadata"]["name"].startswith("settled")
        }

    before = versions()
    # Anything that wakes the operator: a label on the user's object changes nothing it acts on.
    installed.kubectl("label", "modeldeployment", "settled", "team=a")
    eventually(lambda: versions()["ModelDeployment/settled"] != before["ModelDeployment/settled"])
    awake = versions()
    deployment("another", model(2))
    eventually(lambda: installed.is_ready("another"))

    assert versions() == awake
    assert {**awake, "ModelDeployment/settled": ""} == {**before, "ModelDeployment/settled": ""}


@pytest.mark.parametrize(
    ("manifest", "named"),
    [
        pytest.param({"model": {"version": 1}}, "spec.model.uri", id="a uri is required"),
        pytest.param(
            {"model": {"uri": "pvc://models/m", "version": 1}, "replica": 2},
            "spec.replica",
            id="an unknown field is refused",
        ),
        pytest.param(
            {"model": {"uri": "ftp://models/m", "version": 1}},
            "spec.model.uri",
            id="a scheme must be known",
        ),
    ],
)
def test_a_bad_manifest_is_refused_with_the_name_of_the_field(
    installed: Installed, manifest: dict[str, object], named: str
) -> None:
    bad = {
        "apiVersion": "modelfleet.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": "bad"},
        "spec": manifest,
    }

    said = installed.kubectl("apply", "-f", "-", stdin=json.dumps(bad), check=False)

    assert named in said
    assert "NotFound" in installed.kubectl("get", "modeldeployment", "bad", check=False)


def test_wrong_input_is_a_clear_answer_and_the_server_lives_on(
    installed: Installed, deployment: Apply
) -> None:
    deployment("patient", model(1))
    eventually(lambda: installed.is_ready("patient"))

    with installed.rest("patient") as url:
        with pytest.raises(urllib.error.HTTPError) as refused:
            predict(url, ["one"])  # type: ignore[list-item]
        with refused.value as answer:
            assert answer.code == 400
            assert "error" in json.load(answer)
        assert predict(url, [1.0]) == [2.5]


def selector(name: str) -> str:
    return f"modelfleet.dev/deployment={name}"


def asker(installed: Installed) -> str:
    pods = installed.get("pods", "-l", selector("changing"))["items"]
    image = pods[0]["spec"]["containers"][0]["image"]
    return Template((Path(__file__).parent / "asker.yaml").read_text()).substitute(
        SERVER_IMAGE=image
    )
