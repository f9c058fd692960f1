"""What users of a namespace may do with `kubectl modelfleet` by the roles of the chart."""

import json
import os
import subprocess
import sys

import pytest

from api_server import kubeconfig_of
from rollout_world import change, served

pytestmark = pytest.mark.api


@pytest.fixture
def user(installed, api_server, tmp_path):
    """Somebody with roles of the chart in a namespace with a rollout; runs the command."""
    _, operator = installed()
    world = served()
    change(world)
    head = {part: world.body[part] for part in ("apiVersion", "kind", "spec")}
    api_server.apply(head | {"metadata": {"name": "ranker"}})
    api_server.patch_status("md", "ranker", world.body["status"])

    def having(*roles):
        api_server.run("create", "serviceaccount", "ann")
        subject = f"--serviceaccount={api_server.namespace}:ann"
        for role in roles:
            granted = f"--clusterrole={operator}-{role}"
            api_server.run("create", "rolebinding", role, granted, subject)
        kubeconfig = kubeconfig_of(api_server, "ann", tmp_path)

        def run(*words):
            ended = subprocess.run(
                [sys.executable, "-m", "kubectl_modelfleet", *words, "-n", api_server.namespace],
                env=os.environ | {"KUBECONFIG": str(kubeconfig)},
                capture_output=True,
                text=True,
                timeout=180,
                check=False,
            )
            return ended.returncode, ended.stdout + ended.stderr

        return run

    return having


def test_who_may_view_sees_everything_and_steers_nothing(user):
    run = user("view")

    shown, tree = run("status", "ranker")
    listed, _ = run("history", "ranker")
    refused, says = run("promote", "ranker")

    assert (shown, listed, refused) == (0, 0, 1)
    assert "pods are not shown" not in tree
    assert 'cannot patch resource "modeldeployments"' in says
    assert "hint: the roles view (to look) and edit (to steer)" in says


def test_who_may_edit_steers(user, api_server):
    code, says = user("view", "edit")("promote", "ranker")

    annotations = api_server.get("md", "ranker")["metadata"]["annotations"]
    assert (code, "ordered" in says) == (0, True)
    assert "modelfleet.dev/promote" in annotations


def test_who_may_not_look_is_told_which_role_it_takes(user):
    code, says = user()("status", "ranker")

    assert code == 1
    assert 'cannot get resource "modeldeployments"' in says
    assert "hint: the roles view" in says


def test_the_clusters_own_view_has_what_is_shown_beside_the_object(api_server):
    # Into which Kubernetes' controllers put the rules of the chart's role by its labels.
    role = json.loads(
        api_server.run("get", "clusterrole", "system:aggregate-to-view", "-o", "json")
    )

    readable = {kind for rule in role["rules"] for kind in rule["resources"]}

    assert {"pods", "controllerrevisions"} <= readable
