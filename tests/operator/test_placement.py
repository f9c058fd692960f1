"""The user's scheduling in the pod, together with what the accelerator demands."""

import pytest

from model_operator.domain.errors import InvalidSpec
from model_operator.domain.wish.revision import user_input
from model_operator.domain.wish.spec import parse
from model_operator.render.pod import pod_template
from simulated_world import IMAGE, model_deployment

GPU = "nvidia.com/gpu"
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
OWN = {
    "matchLabels": {"modelfleet.dev/deployment": "ranker", "modelfleet.dev/revision": "ranker-1"}
}


def pod(scheduling, **spec):
    body = model_deployment(scheduling=scheduling, **spec)
    return pod_template(parse(body), "ranker-1", IMAGE)["spec"]


def has(key):
    return {"key": key, "operator": "Exists"}


def test_by_default_pods_are_spread_over_nodes_and_zones():
    constraints = pod({})["topologySpreadConstraints"]

    assert [item["topologyKey"] for item in constraints] == [
        "kubernetes.io/hostname",
        "topology.kubernetes.io/zone",
    ]
    assert all(item["whenUnsatisfiable"] == "ScheduleAnyway" for item in constraints)
    assert all(item["labelSelector"] == OWN for item in constraints)


def test_constraints_of_the_user_stand_alone_and_are_about_the_revisions_pods():
    given = {"maxSkew": 2, "topologyKey": "rack", "whenUnsatisfiable": "DoNotSchedule"}
    other = {"topologyKey": "row", "labelSelector": {"matchLabels": {"app": "x"}}}

    assert pod({"topologySpreadConstraints": [given, other]})["topologySpreadConstraints"] == [
        {"labelSelector": OWN} | given,
        other,
    ]


@pytest.mark.parametrize(
    "scheduling",
    [
        {"nodeSelector": {"pool": "models"}},
        {"priorityClassName": "high"},
        {"schedulerName": "other"},
        {"runtimeClassName": "nvidia"},
        {"serviceAccountName": "models"},
        {"imagePullSecrets": [{"name": "registry"}]},
        {"tolerations": [{"operator": "Exists"}]},
        {"affinity": {"podAntiAffinity": {REQUIRED: [{"topologyKey": "zone"}]}}},
    ],
)
def test_a_field_goes_into_the_pod_as_it_is(scheduling):
    assert scheduling.items() <= pod(scheduling).items()


def test_no_pod_gets_a_token_whatever_its_account():
    assert pod({"serviceAccountName": "models"})["automountServiceAccountToken"] is False


def test_the_users_terms_must_hold_together_with_the_accelerators():
    field = {"key": "metadata.name", "operator": "In", "values": ["n"]}
    terms = [{"matchExpressions": [has("a")]}, {"matchFields": [field]}]
    soft = [{"weight": 1, "preference": {"matchExpressions": [has("b")]}}]
    affinity = {
        "nodeAffinity": {
            REQUIRED: {"nodeSelectorTerms": terms},
            "preferredDuringSchedulingIgnoredDuringExecution": soft,
        }
    }
    product = {"resource": "nvidia.com/mig-1g.5gb", "product": "NVIDIA-L4"}

    found = pod({"affinity": affinity}, accelerator=product)["affinity"]["nodeAffinity"]

    label = {"key": "nvidia.com/gpu.product", "operator": "In", "values": ["NVIDIA-L4"]}
    assert found[REQUIRED]["nodeSelectorTerms"] == [
        {"matchExpressions": [has("a"), label]},
        {"matchFields": [field], "matchExpressions": [label]},
    ]
    assert found["preferredDuringSchedulingIgnoredDuringExecution"] == soft


def test_a_toleration_is_not_said_twice():
    own = {"key": GPU, "operator": "Exists", "effect": "NoSchedule"}

    keys = [
        item["key"]
        for item in pod({"tolerations": [own]}, accelerator={"resource": GPU})["tolerations"]
    ]

    assert keys == ["sku", GPU]


def test_empty_fields_are_the_same_wish_as_absent_ones():
    empty = parse(model_deployment(scheduling={"nodeSelector": {}, "tolerations": []}))

    assert user_input(empty) == user_input(parse(model_deployment()))


def test_other_scheduling_is_another_revision():
    one, other = (
        user_input(parse(model_deployment(scheduling={"nodeSelector": {"pool": pool}})))
        for pool in ("a", "b")
    )

    assert one != other


@pytest.mark.parametrize("field", ["nodeName", "affinity"])
def test_a_field_of_another_kind_is_refused_by_name(field):
    with pytest.raises(InvalidSpec, match=rf"^spec\.scheduling\.{field}: "):
        parse(model_deployment(scheduling={field: "x"}))
