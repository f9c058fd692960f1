"""What holds of every life with variants and a shadow, whatever users edit and pods do."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from model_operator.domain.manifests import ObjectKey
from model_operator.domain.seen.observed import Routing
from model_router.record.objects import record_text
from model_router.record.traffic import parse_record
from rollout_world import PORTS, STEPS
from routed_life import RoutedLife
from simulated_world import World, model_deployment

RECORD = ObjectKey("ConfigMap", "ranker-traffic")
MODELS = st.fixed_dictionaries({"version": st.integers(1, 4)})
MATCH = [{"header": "x-cohort", "exact": "big"}]
VARIANTS = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from(["a", "b", "c"]), "model": MODELS, "replicas": st.integers(1, 2)}
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda variant: variant["name"],
).flatmap(
    lambda variants: st.tuples(
        *(st.sampled_from([{"weight": 33}, {"weight": 1}, {"match": MATCH}]) for _ in variants)
    ).map(lambda shares: [v | share for v, share in zip(variants, shares, strict=True)])
)
SHADOWS = st.none() | st.fixed_dictionaries({"model": MODELS, "percent": st.integers(0, 100)})


class LifeWithArms(RoutedLife):
    """Random lives with a router. Users, pods and time act between any two passes."""

    @initialize(replicas=st.integers(1, 3), variants=VARIANTS)
    def all_serve(self, replicas, variants):
        body = model_deployment(replicas=replicas, rollout={"steps": STEPS}, variants=variants)
        self.world = World(body)
        self.world.routing = Routing(PORTS)
        self.everybody_does_their_part()

    @rule(variants=VARIANTS)
    def the_user_edits_the_variants(self, variants):
        self.world.edit(variants=variants)

    @rule(shadow=SHADOWS)
    def the_user_edits_the_shadow(self, shadow):
        self.world.edit(shadow=shadow)

    @rule()
    def the_user_removes_the_variants(self):
        self.world.edit(variants=[])

    @rule()
    def a_pass_runs(self):
        alive = self._alive()
        main = {name for name in alive if not self._arm(name)}
        suspended = self.world.body["spec"]["suspend"]

        plan = self.world.step()

        record = parse_record(record_text(self.world.children[RECORD]))
        gone = {key.name for key in plan.delete if key.kind == "Deployment"}
        assert not gone & set(record.revisions)
        if suspended:
            return
        reached = {share.revision for share in record.split if share.weight}
        # A variant that headers choose, and the shadow, stand in for nobody.
        assert reached <= alive or not main
        assert {match.revision for match in record.matches} <= alive
        assert record.shadow is None or record.shadow.revision in alive
        assert not [name for name in record.answering if name.startswith("ranker-shadow-")]
        assert not main or main - gone

    @rule()
    def everybody_does_their_part(self):
        world = self.world
        world.body["spec"]["suspend"] = False
        self._every_pod_comes()
        self._what_came_too_late_is_tried_again()
        world.settle()

        spec = world.body["spec"]
        arms = {variant["name"] for variant in spec["variants"]}
        arms |= {"shadow"} if spec.get("shadow") else set()
        assert {self._arm(name) for name in world.deployments()} == arms | {""}
        assert len(world.deployments()) == len(arms) + 1
        assert world.condition("Ready")["status"] == "True"

    def _what_came_too_late_is_tried_again(self):
        """By the user alone: by an order for the main model, by a longer deadline for others."""
        world = self.world
        candidate, rollout = (
            world.body["status"].get("candidate", {}),
            world.body["spec"]["rollout"],
        )
        if candidate.get("state") == "Aborted":
            world.annotate(retry=f"{candidate['revision']}/{world.now.isoformat()}")
            self._every_pod_comes()
        if any(item.get("aborted") for item in world.body["status"]["revisions"]):
            world.edit(rollout=rollout | {"progressDeadlineSeconds": 86_400})
            self._every_pod_comes()
            world.edit(rollout=rollout)

    def _every_pod_comes(self):
        for _ in range(30):
            self.world.step()
            for name in self.world.deployments():
                self.world.make_ready(name, self._replicas(name))
            self.world.wait(seconds=60)

    def _arm(self, name):
        labels = self.world.workload(name)["metadata"]["labels"]
        return labels.get("modelfleet.dev/arm", "")


TestLifeWithArms = LifeWithArms.TestCase
TestLifeWithArms.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
