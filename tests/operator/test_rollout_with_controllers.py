"""A canary beside Kubernetes' own controllers; kwok answers for the node and starts the pods."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from api_server import ApiServer, eventually
from operator_process import OperatorProcess
from simulated_world import model_deployment
from testcluster import Contents, ControlPlane, binaries

pytestmark = pytest.mark.api

LONG = 90
STEPS = [{"weight": 10, "pause": True}, {"weight": 50, "pause": True}]


@pytest.fixture(scope="module")
def shop():
    with ControlPlane(Contents(controllers=True, kwok_nodes=1)) as plane:
        api = ApiServer(binaries.location("kubectl"), plane.kubeconfig, "shop")
        api.run("create", "namespace", "shop")
        yield api


@pytest.fixture(scope="module", autouse=True)
def operator(shop, install_crd, tmp_path_factory):
    install_crd(shop)
    process = OperatorProcess(
        shop.kubeconfig,
        tmp_path_factory.mktemp("operator") / "operator.log",
        MODELFLEET_ALLOW_NODE_PATHS="true",
        MODELFLEET_ROUTER_IMAGE="modelfleet/router:test",
        MODELFLEET_ROUTER_ROLE="ClusterRole/view",
        MODELFLEET_ROUTER_REPLICAS="1",
    )
    process.port()
    yield process
    assert process.stop() == 0, process.log.read_text()


class Model:
    """A ModelDeployment of four replicas, as users and routers see it."""

    def __init__(self, api, name):
        self.api, self.name = api, name
        self.arms = {}

    def serve(self, version, **rollout):
        """Apply the manifest as Git has it at that version."""
        body = model_deployment(
            self.name,
            model={"uri": "file:///srv/models/ranker", "version": version},
            replicas=4,
            rollout={"steps": STEPS, "abortKeepSeconds": 0} | rollout,
            **self.arms,
        )
        body["metadata"] = {"name": self.name}
        del body["status"]
        self.api.apply(body)

    def order(self, command, text):
        annotation = f"modelfleet.dev/{command}={text}"
        self.api.run("annotate", "--overwrite", "md", self.name, annotation)

    def steer(self, command, *words):
        """Order by `kubectl modelfleet`, and wait until it says that it has come about."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        place = ["-n", self.api.namespace, f"--kubeconfig={self.api.kubeconfig}"]
        subprocess.run(
            [self.api.kubectl, "modelfleet", command, self.name, *words, *place, "--timeout=180s"],
            env=os.environ | {"PATH": path},
            check=True,
        )

    def status(self):
        return self.api.get("md", self.name)["status"]

    def condition(self, type_):
        found = [item for item in self.status()["conditions"] if item["type"] == type_]
        return found[0] if found else {"status": "absent"}

    def weights(self):
        """What the record has routers do."""
        text = self.api.get("configmap", f"{self.name}-traffic")["data"]["record.json"]
        return {item["revision"]: item["weight"] for item in json.loads(text)["split"]}

    def columns(self):
        return self.api.run("get", "md", self.name).splitlines()[1].split()

    def ready_addresses(self, revision):
        """What a router finds of a revision's pods."""
        selector = f"modelfleet.dev/revision={revision}"
        found = json.loads(self.api.run("get", "endpointslices", "-l", selector, "-o", "json"))[
            "items"
        ]
        pods = [pod for item in found for pod in item.get("endpoints") or []]
        return [pod["addresses"][0] for pod in pods if pod["conditions"]["ready"]]

    def has_pods(self, replicas):
        """Each revision gets so many replicas, and routers learn of as many ready pods."""

        def are_there():
            asked = {
                name: self.api.get("deployment", name)["spec"]["replicas"] for name in replicas
            }
            ready = {name: len(self.ready_addresses(name)) for name in replicas}
            return asked == ready == replicas

        eventually(are_there, LONG)

    def become(self, weights):
        eventually(lambda: self.weights() == weights, LONG)

    def serves(self, version):
        def is_ready():
            status = self.status()
            ready = self.condition("Ready")
            return status["stable"]["version"] == version and ready["status"] == "True"

        eventually(is_ready, LONG)
        return self.status()["stable"]["revision"]

    def is_at_first_step(self, old):
        """The new revision, once it has its first 10 %."""
        new = eventually(lambda: self.status()["candidate"]["revision"], LONG)
        self.become({old: 90, new: 10})
        return new

    def goes_from_1_to_2(self):
        """The old and the new revision, at the first step between them."""
        self.serve(1)
        old = self.serves(1)
        self.serve(2)
        return old, self.is_at_first_step(old)


def test_a_canary_goes_from_10_to_50_to_100_percent_and_is_promoted(shop):
    model = Model(shop, "canary")
    old, new = model.goes_from_1_to_2()
    eventually(lambda: model.columns()[:5] == ["canary", "False", "1", "2", "10"])
    model.has_pods({old: 4, new: 1})

    model.order("promote", f"{new}/1")
    model.become({old: 50, new: 50})
    model.has_pods({old: 4, new: 2})
    model.order("promote", new)
    model.become({old: 0, new: 100})

    assert model.serves(2) == new
    model.has_pods({old: 4, new: 4})
    [former] = [item for item in model.status()["revisions"] if item["name"] == old]
    assert "warmUntil" in former


def test_a_revert_in_git_finds_the_former_revision_warm_and_skips_the_steps(shop):
    model = Model(shop, "reverted")
    old, new = model.goes_from_1_to_2()
    model.order("promote", new)
    model.serves(2)

    model.serve(1)

    assert model.serves(1) == old
    assert model.weights() == {old: 100, new: 0}


def test_a_canary_goes_on_inside_the_share_that_a_variant_leaves(shop):
    model = Model(shop, "compared")
    model.arms = {
        "variants": [{"name": "big", "model": {"version": 9}, "weight": 20}],
        "shadow": {"model": {"version": 8}, "percent": 10},
    }
    model.serve(1)
    old = model.serves(1)
    [big] = [item["revision"] for item in model.status()["variants"]]
    model.become({big: 20, old: 80})
    shadow = eventually(lambda: model.status()["shadow"]["revision"], LONG)
    model.serve(2)
    new = eventually(lambda: model.status()["candidate"]["revision"], LONG)

    model.become({big: 20, old: 72, new: 8})
    model.has_pods({old: 4, new: 1, big: 1, shadow: 1})
    model.arms = {}
    model.serve(2)

    model.become({old: 90, new: 10})
    eventually(lambda: not {big, shadow} & set(shop.names("deployments")), LONG)
    assert not {big, shadow} & {*shop.names("services"), *shop.names("controllerrevisions")}
    model.has_pods({old: 4, new: 1})


def test_an_abort_returns_to_the_stable_revision_until_the_spec_asks_for_another(shop):
    model = Model(shop, "aborted")
    old, new = model.goes_from_1_to_2()

    model.steer("abort")
    weights = model.weights()
    eventually(lambda: new not in shop.names("deployments"), LONG)

    assert model.condition("Stalled")["reason"] == "Aborted"
    assert weights[old] == 100
    model.become({old: 100})
    model.has_pods({old: 4})
    model.serve(1)
    model.serves(1)
    assert model.condition("Stalled")["status"] == "absent"


def test_a_rollback_brings_an_earlier_revision_back_though_the_spec_stays(shop):
    model = Model(shop, "back")
    model.serve(1)
    old = model.serves(1)
    model.serve(2)
    new = model.is_at_first_step(old)
    model.steer("promote", "--step")
    model.become({old: 50, new: 50})
    model.steer("promote")
    promoted = model.status()["stable"]["revision"]

    model.steer("rollback")

    assert promoted == new
    assert model.weights() == {old: 100, new: 0}
    assert model.status()["rollback"] == {"to": old, "instead": new}


def test_queries_without_a_prometheus_are_refused_and_what_serves_goes_on(shop):
    model = Model(shop, "asking")
    model.serve(1)
    old = model.serves(1)

    query = {"name": "ctr", "query": "ctr", "min": 0.02}
    model.serve(2, analysis={"prometheus": [query]})
    eventually(lambda: model.condition("Stalled")["status"] == "True", LONG)

    assert model.condition("Stalled")["reason"] == "InvalidSpec"
    assert "may set prometheus.url" in model.condition("Stalled")["message"]
    assert model.condition("Available")["status"] == "True"
    assert model.weights() == {old: 100}


def test_each_model_has_ports_of_its_own_at_the_router(shop):
    for name in ("one", "two", "three"):
        Model(shop, name).serve(1)
    services = [eventually(lambda name=name: shop.get("service", name)) for name in ("one", "two")]

    ports = [port["targetPort"] for found in services for port in found["spec"]["ports"]]
    assert len(set(ports)) == 4
    eventually(lambda: shop.get("deployment", "modelfleet-router"))
    [selected] = {found["spec"]["selector"]["app.kubernetes.io/name"] for found in services}
    assert selected == "model-router"
