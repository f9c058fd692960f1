"""What holds whatever users edit, whatever pods do, and whenever passes run."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from model_operator.domain.manifests import ObjectKey
from simulated_world import World


class LifeOfAModelDeployment(RuleBasedStateMachine):
    """Random lives. A pass reads what is there, so it may fall between any two events."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.world.body["spec"]["replicas"] = 2

    @rule(version=st.integers(1, 4))
    def the_user_changes_the_version(self, version):
        self.world.edit(model={"version": version})

    @rule(replicas=st.integers(1, 3))
    def the_user_scales(self, replicas):
        self.world.edit(replicas=replicas)

    @rule(ready=st.integers(0, 3), place=st.integers(0, 3))
    def pods_of_a_revision_come_or_go(self, ready, place):
        for name in self.world.deployments()[place : place + 1]:
            key = ObjectKey("Deployment", name)
            self.world.make_ready(name, min(ready, self.world.children[key]["spec"]["replicas"]))

    @rule(minutes=st.integers(1, 12))
    def time_passes(self, minutes):
        self.world.wait(minutes=minutes)

    @rule()
    def the_status_is_lost(self):
        self.world.body["status"] = {}

    @rule()
    def the_operator_is_upgraded(self):
        self.world.image += "0"

    @rule()
    def a_pass_runs(self):
        alive = self._alive()

        plan = self.world.step()

        gone = {key.name for key in plan.delete}
        assert not alive or alive - gone, f"no ready revision is left of {alive}"
        assert self.world.routed() not in gone

    @rule(applied=st.integers(0, 3))
    def a_pass_is_cut_short(self, applied):
        self.world.step_cut_short(applied)

    @rule()
    def passes_run_until_nothing_is_left_to_do(self):
        self.world.settle()

        assert len(self.world.deployments()) <= 2
        assert self.world.plan() == self.world.plan()
        if self._alive():
            assert self.world.routed() in self._alive()

    @invariant()
    def a_remembered_revision_keeps_its_template(self):
        observed = self.world.observe()
        for revision in observed.revisions():
            deployment = self.world.children.get(ObjectKey("Deployment", revision.name))
            assert deployment is None or deployment["spec"]["template"] == revision.template

    def _alive(self):
        workloads = self.world.observe().workloads().values()
        return {workload.revision for workload in workloads if workload.ready}


TestLifeOfAModelDeployment = LifeOfAModelDeployment.TestCase
TestLifeOfAModelDeployment.settings = settings(
    max_examples=150, stateful_step_count=30, deadline=None
)
