"""What users, pods and time may do to any ModelDeployment with a router, between two passes."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule


class RoutedLife(RuleBasedStateMachine):
    """The rules that random lives have in common; each makes its own `world` at first."""

    @rule(version=st.integers(1, 4))
    def the_user_changes_the_version(self, version):
        self.world.edit(model={"version": version})

    @rule(suspend=st.booleans())
    def the_user_suspends(self, suspend):
        self.world.edit(suspend=suspend)

    @rule(ready=st.sampled_from([0, 0, 1, 2, 3, 4]), place=st.integers(0, 4))
    def pods_of_a_revision_come_or_go(self, ready, place):
        for name in self.world.deployments()[place : place + 1]:
            self.world.make_ready(name, min(ready, self._replicas(name)))

    @rule(seconds=st.sampled_from([1, 20, 60, 700]))
    def time_passes(self, seconds):
        self.world.wait(seconds=seconds)

    @rule()
    def the_status_is_lost(self):
        self.world.body["status"] = {}

    @rule(applied=st.integers(0, 9))
    def a_pass_is_cut_short(self, applied):
        self.world.step_cut_short(applied)

    def _replicas(self, name):
        return self.world.workload(name)["spec"]["replicas"]

    def _alive(self):
        workloads = self.world.observe().workloads().values()
        return {workload.revision for workload in workloads if workload.ready}
