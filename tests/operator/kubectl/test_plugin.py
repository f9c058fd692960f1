"""`kubectl modelfleet` beside a real API server; each test plays the operator."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from api_server import eventually
from kubectl_modelfleet.cluster.connection import Chosen, connected
from kubectl_modelfleet.cluster.errors import NotThere
from kubectl_modelfleet.cluster.requests import Requests
from rollout_world import change, live, promoted, served
from router.relay import ApiRelay

pytestmark = pytest.mark.api
# kubectl finds plugins on the PATH.
PROGRAMS = Path(sys.executable).parent


class Shop:
    """A namespace with the ModelDeployment of a simulated world, whose operator is the test."""

    def __init__(self, api, world):
        self.api, self.world = api, world
        self.name = world.body["metadata"]["name"]
        head = {part: world.body[part] for part in ("apiVersion", "kind", "spec")}
        api.apply(head | {"metadata": {"name": self.name}})
        self.tell()

    def tell(self):
        """Write the status as it is in the world."""
        whole = [{"op": "replace", "path": "/status", "value": self.world.body["status"]}]
        patch = ["--subresource=status", "--type=json", "-p", json.dumps(whole)]
        self.api.run("patch", "md", self.name, *patch)

    def work(self, command):
        """What the operator does about the annotation, once it is there."""
        name = f"modelfleet.dev/{command}"
        text = eventually(lambda: self.annotations().get(name))
        self.world.annotate(**{command: text})
        live(self.world)
        self.tell()

    def annotations(self):
        return self.api.get("md", self.name)["metadata"].get("annotations", {})

    def remember(self):
        """Make the ControllerRevisions of the world."""
        for key, body in self.world.children.items():
            if key.kind == "ControllerRevision":
                kept = {part: body["metadata"][part] for part in ("name", "labels")}
                self.api.apply(body | {"metadata": kept, "status": None})

    def command(self, *words):
        return [str(self.api.kubectl), "modelfleet", *words, "-n", self.api.namespace]

    def environment(self, kubeconfig=None):
        path = f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}"
        return os.environ | {"PATH": path, "KUBECONFIG": str(kubeconfig or self.api.kubeconfig)}

    def start(self, *words):
        return subprocess.Popen(
            self.command(*words),
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words):
        """The exit code, and what it printed to stdout and stderr."""
        return ended(self.start(*words))


def ended(process):
    out, err = process.communicate(timeout=180)
    return process.returncode, out, err


@pytest.fixture
def shop(api_server):
    """Builds the namespace's ModelDeployment; without a world, one that is on its steps."""

    def build(world=None):
        if world is None:
            world = served()
            change(world)
        return Shop(api_server, world)

    return build


def test_kubectl_shows_the_tree_with_the_pods_that_there_are(shop):
    shop = shop()
    new = shop.world.candidate()
    labels = {"modelfleet.dev/deployment": "ranker", "modelfleet.dev/revision": new}
    containers = [{"name": "c", "image": "i"}]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p-1", "labels": labels}}
    shop.api.run("create", "serviceaccount", "default")
    shop.api.apply(pod | {"spec": {"containers": containers}})

    code, out, err = shop.run("status", "ranker")

    assert (code, err) == (0, "")
    assert out.startswith(f"ranker in {shop.api.namespace}\n├── Ready=False Progressing")
    assert f"├── candidate · {new} · version 2 · 1/1 ready · 10 % wanted" in out
    assert "│   └── pod p-1 · Pending" in out


@pytest.mark.parametrize("output", ["json", "yaml"])
def test_the_status_is_a_document_for_programs(shop, output):
    shop = shop()

    code, out, _ = shop.run("status", "ranker", "-o", output)

    found = json.loads(out) if output == "json" else yaml.safe_load(out)
    assert code == 0
    assert found["outcome"] == "under way"
    assert found["status"]["candidate"]["revision"] == shop.world.candidate()
    assert found["pods"] == []


def test_a_promotion_is_waited_for_until_the_candidate_serves(shop):
    shop = shop()
    new = shop.world.candidate()
    process = shop.start("promote", "ranker", "--wait", "--timeout", "60s")

    shop.work("promote")

    code, out, err = ended(process)
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == f"ranker: promote of {new} ordered"
    assert out.splitlines()[-1] == "ranker: Serving: version 2 serves with 4 replicas"


def test_an_abort_that_no_operator_sees_is_not_there_when_the_time_is_over(shop):
    shop = shop()
    new = shop.world.candidate()

    code, out, err = shop.run("abort", "ranker", "--timeout", "1s")

    assert code == 2
    assert "the operator has not dealt with the order yet" in err
    assert shop.annotations()["modelfleet.dev/abort"] == new
    assert "ordered" in out


def test_a_rollback_goes_to_the_former_revision_and_warns_of_git(shop):
    world, old, new = promoted()
    shop = shop(world)
    shop.remember()
    process = shop.start("rollback", "ranker", "--wait", "--timeout", "60s")

    shop.work("rollback")

    code, out, err = ended(process)
    assert code == 0
    assert f"ranker: rollback of {old} ordered" in out
    assert "revert that in Git" in err
    code, out, _ = shop.run("history", "ranker")
    assert code == 0
    assert [line.split()[:3] for line in out.splitlines()] == [
        ["REVISION", "VERSION", "STATE"],
        [new, "2", "in"],
        [old, "1", "stable,"],
    ]


def test_waiting_for_what_has_stalled_ends_at_once_and_says_why(shop):
    world = served()
    _, new = change(world)
    world.annotate(abort=new)
    live(world)

    code, out, _ = shop(world).run("status", "ranker", "--wait")

    assert code == 3
    assert out == "ranker: Aborted: version 2 was aborted: a user aborted it\n"


@pytest.mark.parametrize(
    ("words", "says", "hint"),
    [
        (["status", "rankre"], "there is no ModelDeployment rankre", "did you mean ranker?"),
        (["promote", "ranker"], "there is no candidate to promote; Serving", "history ranker"),
        (["rollback", "ranker", "--to-version", "9"], "no revision has version 9", ""),
        (["status", "ranker", "--context", "none"], "no cluster", "get-contexts"),
        (["status", "ranker", "--kubeconfig", "/none"], "no cluster", "--kubeconfig"),
    ],
    ids=lambda part: " ".join(part) if isinstance(part, list) else "",
)
def test_what_cannot_be_done_is_refused_with_a_hint(shop, words, says, hint):
    code, out, err = shop(served()).run(*words)

    assert code == 1
    assert out == ""
    assert err.startswith("error: ")
    assert says in err
    assert hint in err


def test_kubectl_completes_names_and_revisions(shop):
    world, old, new = promoted()
    shop = shop(world)
    shop.remember()

    def completed(*words):
        asked = [str(shop.api.kubectl), "__complete", "modelfleet", *words]
        done = subprocess.run(
            asked, env=shop.environment(), capture_output=True, text=True, timeout=180, check=True
        )
        return [line.partition("\t")[0] for line in done.stdout.splitlines()]

    here = ["-n", shop.api.namespace]
    assert completed("status", *here, "ran") == ["ranker", ":4"]
    assert completed("rollback", "ranker", *here, "--to", "") == [new, old, ":4"]


async def test_a_live_view_outlives_a_connection_that_is_lost(shop, tmp_path):
    shop = shop()
    async with ApiRelay(shop.api.kubeconfig) as relay:
        process = await asyncio.create_subprocess_exec(
            *shop.command("status", "ranker", "-w", "--timeout", "60s"),
            env=shop.environment(relay.kubeconfig(tmp_path)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        await until(process.stdout, "version 2 is at 10 %")
        relay.cut()
        await until(process.stderr, "does not answer")
        shop.world.annotate(promote=shop.world.candidate())
        live(shop.world)
        shop.tell()
        relay.mend()

        shown = await until(process.stdout, "version 2 serves")
        code = await process.wait()

    assert "ranker in" in shown
    assert code == 0


async def until(stream, words):
    """What comes up to the line with these words."""
    seen = ""
    async with asyncio.timeout(180):
        while words not in seen:
            line = (await stream.readline()).decode()
            assert line, seen
            seen += line
    return seen


async def test_an_api_that_is_not_installed_is_told_from_an_object_that_is_not_there(
    modelfleet_api,
):
    async with connected(Chosen(str(modelfleet_api.kubeconfig))) as access:
        with pytest.raises(NotThere) as missing:
            await Requests(access).read("/apis/none.dev/v1/namespaces/default/things/one")

    assert access.namespace == "default"
    assert not missing.value.knows_kind


LOGIN = """#!/bin/sh
token=$(cat {folder}/token)
cat > {folder}/token < {folder}/good
echo '{{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",'
echo ' "status": {{"token": "'$token'"}}}}'
"""


async def test_a_token_that_runs_out_is_renewed_by_the_users_login(api_server, tmp_path):
    api_server.run("create", "serviceaccount", "ann")
    (tmp_path / "token").write_text("has-run-out")
    (tmp_path / "good").write_text(api_server.run("create", "token", "ann"))
    login = tmp_path / "login"
    login.write_text(LOGIN.format(folder=tmp_path))
    login.chmod(0o755)
    known = yaml.safe_load(api_server.kubeconfig.read_text())
    version = "client.authentication.k8s.io/v1"
    called = {"apiVersion": version, "command": str(login), "interactiveMode": "Never"}
    known["users"][0]["user"] = {"exec": called}
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(known))

    async with connected(Chosen(str(kubeconfig))) as access:
        found = await Requests(access).read("/apis")

    assert found["kind"] == "APIGroupList"
