"""Changes of version where GPUs are few: the real scheduler, and nodes that kwok answers for."""

import pytest

from api_server import ApiServer, eventually
from operator_process import OperatorProcess
from simulated_world import manifest as written
from testcluster import Contents, ControlPlane, binaries

pytestmark = pytest.mark.api

GPU = "nvidia.com/gpu"
GPUS = 3
CHILDREN = "deployments,services,controllerrevisions,networkpolicies,poddisruptionbudgets"


@pytest.fixture(scope="module")
def cluster():
    with ControlPlane(Contents(controllers=True, kwok_nodes=1, accelerators={GPU: GPUS})) as plane:
        yield plane


@pytest.fixture(scope="module")
def operator(cluster, install_crd, tmp_path_factory):
    install_crd(cluster)
    log = tmp_path_factory.mktemp("operator") / "operator.log"
    process = OperatorProcess(cluster.kubeconfig, log, MODELFLEET_ALLOW_NODE_PATHS="true")
    process.port()
    yield process
    assert process.stop() == 0, log.read_text()


@pytest.fixture
def lab(cluster):
    """A namespace, and after the test a node without pods again."""
    api = ApiServer(binaries.location("kubectl"), cluster.kubeconfig)
    yield api
    api.run("delete", "md", "--all")
    # The garbage collector does so too, but it comes to know a new CRD after half a minute only.
    api.run("delete", CHILDREN, "-l", "app.kubernetes.io/managed-by=modelfleet")
    api.run("delete", "pod", "other", "--ignore-not-found", "--grace-period=0", "--force")
    eventually(lambda: not api.names("pods"))


def manifest(version, replicas, **rollout):
    model = {"uri": "file:///srv/models/ranker", "version": version}
    serving = {"resources": {"limits": {GPU: 1}}}
    return written(model=model, serving=serving, replicas=replicas, rollout=rollout)


def take_gpus(api, count):
    """Somebody else's pod."""
    container = {"name": "c", "image": "x", "resources": {"limits": {GPU: count}}}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "other"}}
    api.apply(pod | {"spec": {"containers": [container], "terminationGracePeriodSeconds": 0}})
    eventually(lambda: api.get("pod", "other")["status"]["phase"] == "Running")


def serve(api, *args, **rollout):
    api.apply(manifest(*args, **rollout))
    api.run("wait", "md/ranker", "--for=condition=Ready", "--timeout=180s")


def status(api):
    return api.get("md", "ranker")["status"]


def condition(api, type_):
    found = [item for item in status(api)["conditions"] if item["type"] == type_]
    return found[0] if found else {"status": "absent"}


def answering(api):
    """How many ready pods the Service leads to."""
    slices = api.run(
        "get",
        "endpointslices",
        "-l",
        "kubernetes.io/service-name=ranker",
        "-o",
        "jsonpath={.items[*].endpoints[?(@.conditions.ready==true)].addresses[0]}",
    )
    return len(slices.split())


def watch_until_done(api, version):
    """How many pods answered, looked at all the time until the version serves in full."""
    counts = []

    def is_done():
        counts.append(answering(api))
        is_ready = condition(api, "Ready")["status"] == "True"
        return status(api)["stable"]["version"] == version and is_ready

    eventually(is_done)
    return counts


@pytest.mark.parametrize("capacity", ["Auto", "DrainFirst"])
def test_a_full_node_gives_way_one_pod_at_a_time_and_something_answers_always(
    operator, lab, capacity
):
    serve(lab, 1, GPUS, capacity=capacity)
    eventually(lambda: answering(lab) == GPUS)

    lab.apply(manifest(2, GPUS, capacity=capacity))
    counts = watch_until_done(lab, 2)

    assert min(counts) >= 1
    eventually(lambda: answering(lab) == GPUS)
    assert lab.names("deployments") == [status(lab)["stable"]["revision"]]


def test_the_last_replica_stays_and_the_change_is_given_up_with_its_reason(operator, lab):
    take_gpus(lab, GPUS - 1)
    serve(lab, 1, 1)
    old = status(lab)["stable"]["revision"]

    lab.apply(manifest(2, 1))
    eventually(lambda: f"{old} keeps its last ready replica" in status(lab).get("next", ""))
    waiting = status(lab)
    lab.apply(manifest(2, 1, progressDeadlineSeconds=1))
    eventually(lambda: condition(lab, "Stalled")["status"] == "True")

    ready = next(item for item in waiting["conditions"] if item["type"] == "Ready")
    assert f"needs 1 {GPU}; nodes that match have 0 free of {GPUS}" in ready["message"]
    assert condition(lab, "Stalled")["reason"] == "ProgressDeadlineExceeded"
    assert condition(lab, "Available")["status"] == "True"
    eventually(lambda: lab.names("deployments") == [old])
    assert answering(lab) == 1


def test_a_change_that_waits_goes_on_by_itself_when_a_gpu_gets_free(operator, lab):
    take_gpus(lab, GPUS - 1)
    serve(lab, 1, 1)
    lab.apply(manifest(2, 1))
    eventually(lambda: condition(lab, "Ready")["reason"] == "Unschedulable")

    lab.run("delete", "pod", "other", "--grace-period=0", "--force")

    assert min(watch_until_done(lab, 2)) >= 1


def test_with_room_nothing_is_given_up(operator, lab):
    serve(lab, 1, 1)
    old = status(lab)["stable"]["revision"]

    lab.apply(manifest(2, 1))
    counts = watch_until_done(lab, 2)

    assert min(counts) >= 1
    eventually(lambda: old not in lab.names("deployments"))
