"""How many accelerators are free on the nodes that a pod could use."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_operator.domain.placement.capacity import (
    Claim,
    Demand,
    Inventory,
    Supply,
    Use,
    claim_of,
    demand_of,
    fits,
    node_of,
    supply_for,
    taken_by,
    use_of,
)

GPU = "nvidia.com/gpu"
MEMBER = {"modelfleet.dev/group-key": "g"}
TAINT = {"key": GPU, "value": "present", "effect": "NoSchedule"}


def node(name="n1", gpus=8, labels=(), **spec):
    return node_of(
        {
            "metadata": {"name": name, "labels": {"pool": "gpu"} | dict(labels)},
            "spec": spec,
            "status": {"allocatable": {"cpu": "64", "memory": "1Gi", GPU: str(gpus)}},
        }
    )


def template(count=1, **spec):
    container = {"name": "server", "resources": {"limits": {"cpu": "1", GPU: count}}}
    return {"spec": {"containers": [container]} | spec}


def demand(count=1, **spec) -> Demand:
    found = demand_of(template(count, **spec))
    assert found
    return found


def required(*terms):
    chosen = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": list(terms)}}
    return {"nodeAffinity": chosen}


def expression(key, operator, *values):
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


def test_a_pod_without_an_accelerator_has_no_demand():
    assert demand_of({"spec": {"containers": [{"resources": {"limits": {"cpu": "1"}}}]}}) is None


def test_what_pods_hold_is_not_free():
    inventory = Inventory(
        (node("n1", 8), node("n2", 4)), (Use("n1", {GPU: 5}), Use("n2", {"google.com/tpu": 4}))
    )

    assert supply_for(demand(2), inventory) == Supply(nodes=2, total=12, free=7, pods=3)


def test_accelerators_scattered_over_nodes_do_not_make_room():
    inventory = Inventory(
        (node("n1", 2), node("n2", 2)), (Use("n1", {GPU: 1}), Use("n2", {GPU: 1}))
    )

    assert supply_for(demand(2), inventory) == Supply(nodes=2, total=4, free=2, pods=0)


def test_a_node_that_lost_accelerators_which_are_still_held_has_none_free():
    inventory = Inventory((node("n1", 1),), (Use("n1", {GPU: 4}),))

    assert supply_for(demand(), inventory) == Supply(nodes=1, total=1, free=0, pods=0)


def test_an_accelerator_that_nobody_has():
    inventory = Inventory((node("n1"),), ())

    assert supply_for(Demand("amd.com/gpu", 1, {}, (), ()), inventory) == Supply(0, 0, 0, 0)


@pytest.mark.parametrize(
    ("spec", "is_fit"),
    [
        pytest.param({}, True, id="no wish"),
        pytest.param({"nodeSelector": {"pool": "gpu"}}, True, id="the right label"),
        pytest.param({"nodeSelector": {"pool": "cpu"}}, False, id="another label"),
        pytest.param({"affinity": required(expression("pool", "In", "x", "gpu"))}, True, id="in"),
        pytest.param({"affinity": required(expression("pool", "In", "x"))}, False, id="not in"),
        pytest.param({"affinity": required(expression("zone", "NotIn", "x"))}, True, id="absent"),
        pytest.param(
            {"affinity": required(expression("pool", "NotIn", "gpu"))}, False, id="barred"
        ),
        pytest.param({"affinity": required(expression("pool", "Exists"))}, True, id="exists"),
        pytest.param(
            {"affinity": required(expression("pool", "DoesNotExist"))}, False, id="must not exist"
        ),
        pytest.param({"affinity": required(expression("memory", "Gt", "40000"))}, True, id="more"),
        pytest.param({"affinity": required(expression("memory", "Lt", "40000"))}, False, id="less"),
        pytest.param({"affinity": required(expression("pool", "Gt", "1"))}, False, id="no number"),
        pytest.param(
            {"affinity": required(expression("zone", "Exists"), expression("pool", "Exists"))},
            True,
            id="any term is enough",
        ),
        pytest.param({"affinity": required({})}, False, id="an empty term selects nothing"),
        pytest.param(
            {
                "affinity": required(
                    {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n1"]}]}
                )
            },
            True,
            id="by the node's name",
        ),
    ],
)
def test_labels_decide_which_nodes_fit(spec, is_fit):
    assert fits(demand(**spec), node(labels={"memory": "81920"})) is is_fit


@pytest.mark.parametrize(
    ("toleration", "is_fit"),
    [
        pytest.param({"key": GPU, "operator": "Exists"}, True, id="the key"),
        pytest.param({"operator": "Exists"}, True, id="everything"),
        pytest.param({"key": GPU, "value": "present"}, True, id="the same value"),
        pytest.param({"key": GPU, "value": "true"}, False, id="another value"),
        pytest.param({"key": GPU, "operator": "Exists", "effect": "NoExecute"}, False, id="effect"),
        pytest.param({"key": "sku", "operator": "Exists"}, False, id="another key"),
    ],
)
def test_a_taint_keeps_pods_away_unless_they_tolerate_it(toleration, is_fit):
    tainted = node(taints=[TAINT])

    assert not fits(demand(), tainted)
    assert fits(demand(tolerations=[toleration]), tainted) is is_fit


def test_a_cordoned_node_does_not_fit():
    assert not fits(demand(), node(unschedulable=True))


def test_a_taint_that_only_discourages_does_not_count():
    assert fits(demand(), node(taints=[TAINT | {"effect": "PreferNoSchedule"}]))


def test_init_containers_run_before_the_others_unless_they_stay():
    def container(count, **more):
        return {"resources": {"limits": {GPU: str(count)}}} | more

    stays = container(1, restartPolicy="Always")

    assert taken_by({"initContainers": [container(4)], "containers": [container(2)]}) == {GPU: 4}
    assert taken_by({"initContainers": [stays], "containers": [container(2)]}) == {GPU: 3}
    assert taken_by({"initContainers": [stays, container(4)], "containers": []}) == {GPU: 5}


def pod(labels=(), status=(), metadata=(), **spec):
    """A pod that asks for one GPU; `spec` may say otherwise."""
    return {
        "metadata": {"labels": dict(labels)} | dict(metadata),
        "spec": template()["spec"] | spec,
        "status": dict(status),
    }


@pytest.mark.parametrize(
    ("pod", "use"),
    [
        pytest.param(pod(nodeName="n"), Use("n", {GPU: 1}), id="on a node"),
        pytest.param(pod(), None, id="on no node yet"),
        pytest.param(pod(nodeName="n", status={"phase": "Failed"}), None, id="ended"),
        pytest.param(pod(nodeName="n", containers=[{}]), None, id="without any"),
        pytest.param(
            pod(nodeName="n", labels=MEMBER), Use("n", {GPU: 1}, "g"), id="member of a group"
        ),
        pytest.param(
            pod(nodeName="n", containers=[{}], labels=MEMBER), Use("n", {}, "g"), id="its place"
        ),
    ],
)
def test_which_pods_hold_accelerators(pod, use):
    assert use_of(pod) == use


def refused(message):
    unplaced = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    return {"conditions": [unplaced | {"message": message}]}


@pytest.mark.parametrize(
    ("pod", "is_claim"),
    [
        pytest.param(pod(), True, id="that nobody has looked at yet"),
        pytest.param(pod(status=refused(f"2 Insufficient {GPU}.")), True, id="for want of GPUs"),
        pytest.param(pod(status=refused('claim "x" not found')), False, id="for want of a volume"),
        pytest.param(pod(schedulingGates=[{"name": "any"}]), False, id="behind a gate"),
        pytest.param(pod(nodeName="n"), False, id="that has its node"),
        pytest.param(pod(status={"phase": "Failed"}), False, id="that ended"),
        pytest.param(pod(metadata={"deletionTimestamp": "t"}), False, id="on its way out"),
        pytest.param(pod(containers=[{}]), False, id="without accelerators"),
    ],
)
def test_which_pods_may_take_accelerators_at_any_moment(pod, is_claim):
    assert (claim_of(pod) is not None) is is_claim


def test_a_claim_knows_where_and_for_which_group():
    claim = claim_of(pod(labels=MEMBER, nodeSelector={"pool": "gpu"}))

    assert claim == Claim(demand(nodeSelector={"pool": "gpu"}), "g")


@given(
    gpus=st.lists(st.integers(0, 16), max_size=6),
    held=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 20)), max_size=8),
    count=st.integers(1, 8),
)
def test_no_more_pods_fit_than_accelerators_are_free(gpus, held, count):
    nodes = tuple(node(f"n{number}", has) for number, has in enumerate(gpus))
    uses = tuple(Use(f"n{number}", {GPU: taken}) for number, taken in held)

    supply = supply_for(demand(count), Inventory(nodes, uses))

    assert 0 <= supply.pods * count <= supply.free <= supply.total == sum(gpus)
