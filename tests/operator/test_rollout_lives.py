"""What holds of every rollout by steps, whatever users order and edit and whatever pods do."""

from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from model_operator.domain.evidence.counts import Tally, Told
from model_operator.domain.routing.traffic import Ports
from model_operator.domain.seen.observed import Routing
from routed_life import RoutedLife
from simulated_world import World, model_deployment

STEPS = st.lists(
    st.fixed_dictionaries(
        {"weight": st.integers(1, 99)},
        optional={"holdSeconds": st.sampled_from([0, 30, 300])},
    ),
    max_size=3,
    unique_by=lambda step: step["weight"],
).map(lambda steps: sorted(steps, key=lambda step: step["weight"]))
ANALYSES = st.none() | st.fixed_dictionaries(
    {"minRequests": st.just(10)},
    optional={
        "failureLimit": st.integers(1, 2),
        "maxErrorPercentAboveStable": st.just(5),
        "onInconclusive": st.sampled_from(["Wait", "Pause", "Abort"]),
    },
)
COMMANDS = st.sampled_from(["abort", "retry", "promote", "rollback"])
ENDS = {
    "Serving",
    "Aborted",
    "AnalysisFailed",
    "AnalysisInconclusive",
    "ProgressDeadlineExceeded",
    "Paused",
}
TEXTS = st.sampled_from(["", "/1", "/2", "/x"])


class LifeByStepsOfWeight(RoutedLife):
    """Random lives with a router. Users, pods and time act between any two passes."""

    @initialize(steps=STEPS, replicas=st.integers(1, 4))
    def the_first_revision_serves(self, steps, replicas):
        rollout = {"steps": steps, "progressDeadlineSeconds": 600}
        self.world = World(model_deployment(replicas=replicas, rollout=rollout))
        self.world.routing = Routing(Ports(20000, 20001))
        self.everybody_does_their_part()

    @rule(replicas=st.integers(1, 4))
    def the_user_scales(self, replicas):
        self.world.edit(replicas=replicas)

    @rule(steps=STEPS, paused=st.booleans(), warm=st.sampled_from([0, 60, 600]), analysis=ANALYSES)
    def the_user_edits_the_rollout(self, steps, paused, warm, analysis):
        rollout = {"steps": steps, "paused": paused, "keepWarmSeconds": warm}
        if analysis and steps:
            rollout["analysis"] = analysis
        self.world.edit(rollout=rollout)

    @rule(requests=st.integers(0, 30), errors=st.integers(0, 30), silent=st.booleans())
    def routers_tell_what_requests_came_to(self, requests, errors, silent):
        tally = Tally(max(requests, errors), errors)
        tallies = dict.fromkeys(self.world.weights(), tally)
        told = Told("r-1", "1", self.world.weights(), tallies)
        self._hear(Told("r-1", trouble="does not answer") if silent else told)

    @rule(command=COMMANDS, place=st.integers(0, 3), text=TEXTS)
    def the_user_gives_an_order(self, command, place, text):
        for revision in self.world.observe().revisions()[place : place + 1]:
            self.world.annotate(**{command: revision.name + text})

    @rule()
    def a_pass_runs(self):
        self._pass()

    def _pass(self):
        """A pass, and what holds after each."""
        alive, suspended = self._alive(), self.world.body["spec"]["suspend"]

        plan = self.world.step()

        gone = {key.name for key in plan.delete if key.kind == "Deployment"}
        assert not alive or alive - gone, f"no ready revision is left of {alive}"
        weights = self.world.weights()
        assert sum(weights.values()) == 100
        reached = {name for name, weight in weights.items() if weight}
        assert not reached & gone
        if alive and not suspended:
            assert reached <= alive, f"{weights} while ready are {alive}"

    @rule()
    def everybody_does_their_part(self):
        world = self.world
        world.body["spec"]["suspend"] = False
        for _ in range(40):
            good = dict.fromkeys(world.weights(), Tally(1000))
            self._hear(Told("r-1", "1", world.weights(), good))
            self._pass()
            for name in world.deployments():
                world.make_ready(name, self._replicas(name))
            world.wait(seconds=60)
        world.settle()

        # Every rollout has ended, or waits for a user.
        reason = world.condition("Ready")["reason"]
        assert reason in ENDS
        assert world.plan() == world.plan()
        if reason == "Serving":
            assert world.deployments() == [world.stable()]

    def _hear(self, *told):
        self.world.routing = replace(self.world.routing, told=told)


TestLifeByStepsOfWeight = LifeByStepsOfWeight.TestCase
TestLifeByStepsOfWeight.settings = settings(max_examples=50, stateful_step_count=25, deadline=None)
