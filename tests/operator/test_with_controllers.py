"""The operator beside Kubernetes' own controllers and scheduler; kwok answers for the node."""

import pytest

from api_server import ApiServer, eventually
from operator_process import OperatorProcess
from simulated_world import manifest
from testcluster import Contents, ControlPlane, binaries

pytestmark = pytest.mark.api

CLAIM = [
    {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": "models"},
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadOnlyMany"],
            "hostPath": {"path": "/srv/models"},
            "storageClassName": "",
            "claimRef": {"name": "models", "namespace": "shop"},
        },
    },
    {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "models"},
        "spec": {
            "accessModes": ["ReadOnlyMany"],
            "resources": {"requests": {"storage": "1Gi"}},
            "storageClassName": "",
            "volumeName": "models",
        },
    },
]

CHILDREN = (
    "deployments",
    "statefulsets",
    "services",
    "controllerrevisions",
    "networkpolicies",
    "poddisruptionbudgets",
    "secrets",
    "pods",
)


@pytest.fixture(scope="module")
def cluster():
    with ControlPlane(Contents(controllers=True, kwok_nodes=1)) as plane:
        yield plane


@pytest.fixture(scope="module")
def operator(cluster, install_crd, tmp_path_factory):
    install_crd(cluster)
    log = tmp_path_factory.mktemp("operator") / "operator.log"
    process = OperatorProcess(cluster.kubeconfig, log)
    process.port()
    yield process
    assert process.stop() == 0, log.read_text()


@pytest.fixture(scope="module")
def shop(cluster) -> ApiServer:
    """A namespace with models in it, under the restricted Pod Security Standard."""
    api = ApiServer(binaries.location("kubectl"), cluster.kubeconfig, "shop")
    api.run("create", "namespace", "shop")
    api.run("label", "namespace", "shop", "pod-security.kubernetes.io/enforce=restricted")
    api.apply(*CLAIM)
    return api


@pytest.fixture
def lab(cluster):
    """A namespace without anything."""
    api = ApiServer(binaries.location("kubectl"), cluster.kubeconfig, "lab")
    api.run("create", "namespace", "lab")
    yield api
    api.run("delete", "namespace", "lab")


def condition(api, type_, name="ranker"):
    conditions = api.get("md", name)["status"].get("conditions", [])
    return next((item for item in conditions if item["type"] == type_), {"status": "absent"})


def waits_for(api, reason):
    return condition(api, "Ready").get("reason") == reason


def test_a_life_from_creation_to_deletion(operator, shop):
    shop.apply(manifest(replicas=2))
    shop.run("wait", "md/ranker", "--for=condition=Ready", "--timeout=180s")
    first = shop.get("md", "ranker")["status"]["stable"]["revision"]

    shop.apply(manifest(replicas=2, model={"version": 2}))
    eventually(lambda: shop.get("md", "ranker")["status"]["stable"]["version"] == 2)
    shop.run("wait", "md/ranker", "--for=condition=Ready", "--timeout=180s")
    eventually(lambda: first not in shop.names("deployments"))
    eventually(lambda: len(shop.names("pods")) == 2)

    assert shop.get("pdb", "ranker-model-server")["spec"]["maxUnavailable"] == 1
    shop.delete("md", "ranker")
    for kind in CHILDREN:
        eventually(lambda kind=kind: shop.names(kind) == [])


def test_a_life_of_groups_from_creation_to_deletion(operator, shop):
    shop.apply(manifest(replicas=2, sharding={"shards": 3}))
    shop.run("wait", "md/ranker", "--for=condition=Ready", "--timeout=180s")
    first = shop.get("md", "ranker")["status"]
    [group, other] = shop.names("statefulsets")
    members = sorted(shop.names("pods"))
    counted = len(shop.run("get", "pods", "-o", "name", "-l", first["selector"]).splitlines())

    shop.apply(manifest(replicas=1, sharding={"shards": 3}, model={"version": 2}))
    eventually(lambda: shop.get("md", "ranker")["status"]["stable"]["version"] == 2)
    eventually(lambda: len(shop.names("pods")) == 3)
    shop.run("wait", "md/ranker", "--for=condition=Ready", "--timeout=180s")

    assert members == [f"{name}-{number}" for name in (group, other) for number in range(3)]
    assert (first["replicas"], first["readyReplicas"]) == (2, 2)
    assert counted == 2
    assert not {group, other} & set(shop.names("statefulsets"))
    shop.delete("md", "ranker")
    for kind in CHILDREN:
        eventually(lambda kind=kind: shop.names(kind) == [])


def test_a_member_that_is_lost_comes_back_alone(operator, shop):
    shop.apply(manifest("lossy", sharding={"shards": 2}))
    shop.run("wait", "md/lossy", "--for=condition=Ready", "--timeout=180s")
    first, second = sorted(shop.names("pods"))
    kept, lost = (shop.get("pod", name)["metadata"]["uid"] for name in (first, second))

    shop.delete("pod", second)

    eventually(lambda: shop.get("pod", second)["metadata"]["uid"] != lost)
    shop.run("wait", "md/lossy", "--for=condition=Ready", "--timeout=180s")
    assert shop.get("pod", first)["metadata"]["uid"] == kept
    shop.run("delete", "md", "lossy")
    for kind in CHILDREN:
        eventually(lambda kind=kind: shop.names(kind) == [])


def test_a_missing_claim_is_named_in_the_status(operator, lab):
    lab.apply(manifest())

    eventually(lambda: waits_for(lab, "ClaimNotFound"))
    assert 'persistentvolumeclaim "models" not found' in condition(lab, "Ready")["message"]


def test_a_spent_quota_is_named_in_the_status(operator, lab):
    lab.run("create", "quota", "small", "--hard=pods=0")

    lab.apply(manifest())

    eventually(lambda: waits_for(lab, "QuotaExceeded"))
    assert "exceeded quota: small" in condition(lab, "Ready")["message"]


def test_a_spent_quota_is_named_for_the_group_that_it_keeps_from_being_whole(operator, lab):
    lab.run("create", "quota", "small", "--hard=pods=0")

    lab.apply(manifest(sharding={"shards": 2}))

    eventually(lambda: waits_for(lab, "QuotaExceeded"))
    message = condition(lab, "Ready")["message"]
    assert message.startswith("version 1 waits for 1 whole group; group 0: ")
    assert "exceeded quota: small" in message


def test_a_missing_service_account_is_named_in_the_status(operator, lab):
    lab.apply(manifest(scheduling={"serviceAccountName": "nobody"}))

    eventually(lambda: waits_for(lab, "ServiceAccountNotFound"))
    assert 'serviceaccount "nobody" not found' in condition(lab, "Ready")["message"]


def test_what_was_missing_is_found_as_soon_as_it_is_there(operator, lab):
    lab.run("create", "quota", "small", "--hard=pods=0")
    lab.apply(manifest(model={"uri": "pvc://models/ranker"}))
    eventually(lambda: waits_for(lab, "QuotaExceeded"))

    lab.run("delete", "quota", "small")

    # The ReplicaSet's controller comes back with a growing back-off.
    eventually(lambda: waits_for(lab, "ClaimNotFound"))


def test_a_deployment_deleted_while_it_rolls_leaves_nothing(operator, shop):
    shop.apply(manifest("rolling"))
    shop.run("wait", "md/rolling", "--for=condition=Ready", "--timeout=180s")
    shop.apply(manifest("rolling", model={"version": 2}))

    shop.delete("md", "rolling")

    for kind in CHILDREN:
        eventually(lambda kind=kind: shop.names(kind) == [])


def test_a_deployment_made_again_under_the_same_name_starts_anew(operator, shop):
    shop.apply(manifest("again"))
    shop.run("wait", "md/again", "--for=condition=Ready", "--timeout=180s")
    before = shop.get("md", "again")["metadata"]["uid"]

    shop.run("delete", "md", "again")
    shop.apply(manifest("again"))

    shop.run("wait", "md/again", "--for=condition=Ready", "--timeout=180s")
    eventually(lambda: owner_of(shop, "service", "again") != before)


def owner_of(api, kind, name):
    [owner] = api.get(kind, name)["metadata"]["ownerReferences"]
    return owner["uid"]
