"""The words that Helm leaves a user with hold on a real API server."""

import re
import shlex
import shutil

import pytest

from api_server import ApiServer
from helm import CHART, helm
from testcluster import ControlPlane, binaries
from testcluster.progress import Progress

pytestmark = pytest.mark.api

CRD = "crds/modelfleet.dev_modeldeployments.yaml"
WHERE = ("modelfleet", "--namespace", "modelfleet-system")


@pytest.fixture
def release():
    """An API server of its own, on which Helm has installed the CRD; and Helm's notes."""
    with ControlPlane(progress=Progress(quiet=True)) as plane:
        api = ApiServer(binaries.location("kubectl"), plane.kubeconfig)
        access = ("--kubeconfig", str(plane.kubeconfig))
        helm("install", WHERE[0], str(CHART), *WHERE[1:], "--create-namespace", *access)
        yield api, helm("get", "notes", *WHERE, *access)


def test_the_command_of_the_notes_brings_a_newer_crd(release, tmp_path):
    api, notes = release
    newer = shutil.copytree(CHART, tmp_path / "chart") / CRD
    newer.write_text(newer.read_text().replace("What is to be served.", "What a newer one says."))
    [command] = re.findall(r"^  kubectl (apply .* -f) crds/$", notes, re.MULTILINE)

    api.run(*shlex.split(command), str(newer.parent))

    assert "What a newer one says." in api.run("get", "crd", "-o", "yaml")
