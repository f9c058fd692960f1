"""Which router a namespace has, decided without a cluster."""

from dataclasses import replace

import pytest

from model_operator.domain.manifests import ObjectKey, key_of
from model_operator.plan.routers import plan_router
from model_operator.render.router import router_objects
from model_operator.settings import Role, RouterSettings

ROUTERS = RouterSettings("modelfleet/router:1", Role("ClusterRole", "of-routers"), replicas=2)
KINDS = ["ServiceAccount", "RoleBinding", "NetworkPolicy", "PodDisruptionBudget", "Deployment"]


def plan(observed, settings=ROUTERS, is_needed=True):
    return plan_router("shop", settings, is_needed, observed)


def there_is(settings=ROUTERS):
    found = {key_of(manifest): manifest for manifest in router_objects("shop", settings)}
    for manifest in found.values():
        manifest["metadata"]["uid"] = "1"
    return found


def kinds(manifests):
    return [manifest["kind"] for manifest in manifests]


def deployment(settings=ROUTERS):
    return router_objects("shop", settings)[-1]


def test_a_namespace_with_models_gets_a_router_and_its_rights_first():
    assert kinds(plan({}).apply) == KINDS
    assert plan({}).delete == ()


def test_a_router_that_is_as_it_should_be_costs_no_write():
    found = plan(there_is())

    assert (found.apply, found.delete) == ((), ())


@pytest.mark.parametrize("kind", KINDS)
def test_a_part_that_is_missing_is_made_again(kind):
    observed = {key: part for key, part in there_is().items() if key.kind != kind}

    assert kinds(plan(observed).apply) == [kind]


def test_a_namespace_without_models_keeps_nothing_of_its_router():
    found = plan(there_is(), is_needed=False)

    assert found.apply == ()
    assert set(found.delete) == {ObjectKey(kind, "modelfleet-router") for kind in KINDS}
    assert found.delete[0].kind == "Deployment"


def test_where_routers_are_switched_off_one_that_carries_requests_is_left_as_it_is():
    found = plan(there_is(), settings=None, is_needed=True)

    assert (found.apply, found.delete) == ((), ())


def test_where_routers_are_switched_off_one_that_nobody_needs_goes():
    found = plan(there_is(), settings=None, is_needed=False)

    assert found.apply == ()
    assert set(found.delete) == {ObjectKey(kind, "modelfleet-router") for kind in KINDS}


def test_a_single_router_does_not_hold_up_a_drain():
    alone = RouterSettings(ROUTERS.image, ROUTERS.role, replicas=1)

    found = plan(there_is(), alone)

    assert kinds(found.apply) == ["Deployment"]
    assert [key.kind for key in found.delete] == ["PodDisruptionBudget"]


def test_another_image_changes_the_pods_alone():
    newer = RouterSettings("modelfleet/router:2", ROUTERS.role, replicas=2)

    assert kinds(plan(there_is(), newer).apply) == ["Deployment"]


def test_a_binding_to_another_role_is_made_anew():
    moved = RouterSettings(ROUTERS.image, Role("Role", "of-routers"), replicas=2)

    first = plan(there_is(), moved)
    second = plan({k: m for k, m in there_is().items() if k not in first.delete}, moved)

    assert (first.apply, first.delete) == ((), (ObjectKey("RoleBinding", "modelfleet-router"),))
    assert kinds(second.apply) == ["RoleBinding"]


def test_the_pods_pass_the_restricted_standard_and_have_room_to_drain():
    pod = deployment()["spec"]["template"]["spec"]
    [container] = pod["containers"]

    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert set(container["resources"]) == {"requests", "limits"}
    drain = next(word for word in container["args"] if word.startswith("--drain-seconds="))
    assert pod["terminationGracePeriodSeconds"] > int(drain.partition("=")[2]) + 10


def test_the_router_understands_its_command_line(tmp_path):
    from model_router.__main__ import _options

    [container] = deployment()["spec"]["template"]["spec"]["containers"]
    words = [word.replace("/var/lib/model-router", str(tmp_path)) for word in container["args"]]

    options = _options([*words, "--envoy", "/bin/true"])

    assert (options.namespace, options.health_port) == ("shop", 8080)


def test_resources_and_the_log_of_requests_are_the_administrators_choice():
    chosen = replace(ROUTERS, logs_requests=True, resources={"limits": {"memory": "2Gi"}})

    [plain], [other] = (
        deployment(settings)["spec"]["template"]["spec"]["containers"]
        for settings in (ROUTERS, chosen)
    )

    assert other["resources"] == {"limits": {"memory": "2Gi"}}
    assert [word for word in other["args"] if word not in plain["args"]] == ["--access-log"]


def test_the_ports_of_models_are_open_and_those_of_envoy_are_not():
    [policy] = [part for part in router_objects("shop", ROUTERS) if part["kind"] == "NetworkPolicy"]

    assert policy["spec"]["ingress"] == [
        {
            "ports": [
                {"protocol": "TCP", "port": 20000, "endPort": 29999},
                {"protocol": "TCP", "port": 8080},
            ]
        }
    ]
