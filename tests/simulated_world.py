"""A ModelDeployment and a small world in which the plans for it are carried out."""

import copy
import itertools
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from model_operator.domain.manifests import ObjectKey, key_of
from model_operator.domain.placement.capacity import Inventory
from model_operator.domain.seen.observed import Observed, Routing
from model_operator.domain.seen.pods import Pod
from model_operator.domain.seen.troubles import Trouble
from model_operator.domain.wish.spec import parse
from model_operator.plan.plan import Plan, make_plan

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
IMAGE = "modelfleet/server:1"
UID = "11111111-2222-3333-4444-555555555555"


def model_deployment(name: str = "ranker", **spec: Any) -> dict[str, Any]:
    model = {"uri": "pvc://models/ranker", "version": 1} | spec.pop("model", {})
    return {
        "apiVersion": "modelfleet.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": name, "namespace": "shop", "uid": UID, "generation": 1},
        "spec": {"model": model, "replicas": 1, "suspend": False} | spec,
        "status": {"observedGeneration": -1},
    }


def manifest(name: str = "ranker", **spec: Any) -> dict[str, Any]:
    """The same as users apply it."""
    body = model_deployment(name, **spec)
    body["metadata"] = {"name": name}
    del body["status"]
    return body


@dataclass
class World:
    """Carries plans out as an API server with its controllers would, in memory."""

    body: dict[str, Any] = field(default_factory=model_deployment)
    children: dict[ObjectKey, dict[str, Any]] = field(default_factory=dict)
    pods: tuple[Pod, ...] = ()
    foreign: frozenset[ObjectKey] = frozenset()
    inventory: Inventory | None = None
    now: datetime = NOON
    image: str = IMAGE
    routing: Routing | None = None
    has_router_pods: bool = False
    group_troubles: dict[str, Trouble] = field(default_factory=dict)
    _uids: Any = field(default_factory=lambda: itertools.count(1))

    def observe(self) -> Observed:
        return Observed(
            status=self.body["status"],
            children=dict(self.children),
            pods=self.pods,
            foreign=self.foreign,
            inventory=self.inventory,
            routing=self.routing,
            has_router_pods=self.has_router_pods,
            group_troubles=self.group_troubles,
        )

    def plan(self) -> Plan:
        return make_plan(parse(self.body), self.observe(), self.now, self.image)

    def step(self) -> Plan:
        return self._carry_out(self.plan())

    def step_cut_short(self, applied: int) -> None:
        """A pass that ends by an error after so many writes."""
        plan = self.plan()
        self._carry_out(replace(plan, apply=plan.apply[:applied], delete=(), status=None))

    def _carry_out(self, plan: Plan) -> Plan:
        for manifest in plan.apply:
            kept = self.children.get(key_of(manifest), {})
            made = copy.deepcopy(manifest)
            made["metadata"]["uid"] = kept.get("metadata", {}).get("uid", f"uid-{next(self._uids)}")
            self.children[key_of(manifest)] = {"status": kept.get("status", {})} | made
        for key in plan.delete:
            del self.children[key]
        if plan.status is not None:
            self.body["status"] = plan.status
        return plan

    def settle(self) -> None:
        """Steps until a plan is empty; a plan that never gets empty is a failure."""
        for _ in range(10):
            plan = self.step()
            if not plan.apply and not plan.delete and plan.status is None:
                return
        raise AssertionError(f"not settled after 10 passes: {plan}")

    def edit(self, **spec: Any) -> None:
        model = self.body["spec"]["model"] | spec.pop("model", {})
        self.body["spec"] |= {"model": model} | spec
        self.body["metadata"]["generation"] += 1

    def make_ready(self, revision: str, ready: int) -> None:
        self.children[ObjectKey("Deployment", revision)]["status"] = {
            "readyReplicas": ready,
            "updatedReplicas": self.children[ObjectKey("Deployment", revision)]["spec"]["replicas"],
        }

    def wait(self, **duration: float) -> None:
        self.now += timedelta(**duration)

    def deployments(self) -> list[str]:
        return sorted(key.name for key in self.children if key.kind == "Deployment")

    def workload(self, revision: str) -> dict[str, Any]:
        return self.children[ObjectKey("Deployment", revision)]

    def annotate(self, **commands: str) -> None:
        """Give orders as `kubectl annotate --overwrite` does."""
        given = {f"modelfleet.dev/{name}": text for name, text in commands.items()}
        self.body["metadata"].setdefault("annotations", {}).update(given)

    def weights(self) -> dict[str, int]:
        return self.observe().weights()

    def routed(self) -> str | None:
        return self.observe().routed()

    def candidate(self) -> str:
        return str(self.body["status"]["candidate"]["revision"])

    def stable(self) -> str:
        return str(self.body["status"]["stable"]["revision"])

    def condition(self, type_: str) -> dict[str, Any]:
        found = [item for item in self.body["status"]["conditions"] if item["type"] == type_]
        return found[0] if found else {"status": "absent"}
