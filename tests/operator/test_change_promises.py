"""What holds of every change on nodes with few accelerators, in whatever order things happen."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from accelerator_world import AcceleratorWorld

STRATEGIES = st.sampled_from(["Auto", "SurgeFirst", "DrainFirst"])


class LifeOnFullNodes(RuleBasedStateMachine):
    """Scheduler, kubelets and others act between any two passes, each when it likes."""

    @initialize(
        slots=st.integers(1, 6),
        replicas=st.integers(1, 4),
        capacity=STRATEGIES,
        shows_nodes=st.booleans(),
    )
    def the_first_revision_serves(self, slots, replicas, capacity, shows_nodes):
        self.life = AcceleratorWorld(slots, replicas, capacity, shows_nodes)
        self.life.live(3)

    @rule(version=st.integers(1, 3))
    def the_user_changes_the_version(self, version):
        self.life.world.edit(model={"version": version})

    @rule(replicas=st.integers(1, 4))
    def the_user_scales(self, replicas):
        self.life.world.edit(replicas=replicas)

    @rule(capacity=STRATEGIES)
    def the_user_chooses_another_strategy(self, capacity):
        self.life.world.edit(rollout={"capacity": capacity, "progressDeadlineSeconds": 600})

    @rule(others=st.integers(0, 6))
    def others_take_or_leave_accelerators(self, others):
        self.life.others = min(others, self.life.others + max(0, self.life.free()))
        self.life.show()

    @rule()
    def the_scheduler_runs(self):
        self.life.schedule()

    @rule()
    def pods_get_ready(self):
        self.life.start()

    @rule(place=st.integers(0, 7))
    def a_pod_breaks(self, place):
        for pod in self.life.pods[place : place + 1]:
            pod.is_ready = False
        self.life.show()

    @rule()
    def pods_on_their_way_out_are_gone(self):
        self.life.leave()

    @rule(minutes=st.integers(1, 12))
    def time_passes(self, minutes):
        self.life.world.wait(minutes=minutes)

    @rule()
    def the_status_is_lost(self):
        self.life.world.body["status"] = {}

    @rule()
    def a_pass_runs(self):
        self.life.run_pass()  # fails if it takes the last ready replica

    @rule()
    def everybody_does_their_part_for_some_time(self):
        life = self.life
        life.live()

        # Every change has ended: what is wanted serves, or what served before goes on.
        world, reason = life.world, life.world.condition("Stalled").get("reason")
        assert len(world.deployments()) == 1
        wanted = world.body["spec"]["replicas"]
        assert world.workload(world.routed())["spec"]["replicas"] == wanted
        assert len(life.ready(world.routed())) == min(wanted, life.slots - life.others)
        assert (world.condition("Ready")["status"] == "True") == (reason is None)
        assert world.plan() == world.plan()


TestLifeOnFullNodes = LifeOnFullNodes.TestCase
TestLifeOnFullNodes.settings = settings(max_examples=120, stateful_step_count=25, deadline=None)


class LifeOnFullNodesBySteps(LifeOnFullNodes):
    """The same with a router and steps of weight."""

    STEPS = (1, 40)

    @initialize(
        slots=st.integers(1, 6),
        replicas=st.integers(1, 4),
        capacity=STRATEGIES,
        shows_nodes=st.booleans(),
    )
    def the_first_revision_serves(self, slots, replicas, capacity, shows_nodes):
        self.life = AcceleratorWorld(slots, replicas, capacity, shows_nodes, steps=self.STEPS)
        self.life.live(3)

    @rule(capacity=STRATEGIES)
    def the_user_chooses_another_strategy(self, capacity):
        rollout = self.life.world.body["spec"]["rollout"]
        self.life.world.edit(rollout=rollout | {"capacity": capacity})


TestLifeOnFullNodesBySteps = LifeOnFullNodesBySteps.TestCase
TestLifeOnFullNodesBySteps.settings = settings(
    max_examples=30, stateful_step_count=25, deadline=None
)
