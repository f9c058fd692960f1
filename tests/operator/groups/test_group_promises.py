"""What holds of groups whatever users edit, whatever members do, and whenever passes run."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from group_world import divided, groups, member, ready
from model_operator.domain import names
from model_operator.domain.manifests import ObjectKey, label_of


class LifeOfADividedModel(RuleBasedStateMachine):
    """Random lives. A pass reads what is there, so it may fall between any two events."""

    def __init__(self) -> None:
        super().__init__()
        self.world = divided()

    @rule(version=st.integers(1, 3))
    def the_user_changes_the_version(self, version):
        self.world.edit(model={"version": version})

    @rule(shards=st.integers(2, 3), recovery=st.sampled_from(["Member", "WholeGroup"]))
    def the_user_divides_it_otherwise(self, shards, recovery):
        self.world.edit(sharding={"shards": shards, "recovery": recovery})

    @rule(replicas=st.integers(1, 3))
    def the_user_scales(self, replicas):
        self.world.edit(replicas=replicas)

    @rule(members=st.integers(0, 3), place=st.integers(0, 5))
    def members_come_or_go(self, members, place):
        for name in groups(self.world)[place : place + 1]:
            shards = self.world.children[ObjectKey("StatefulSet", name)]["spec"]["replicas"]
            ready(self.world, name, min(members, shards))

    @rule(place=st.integers(0, 5), is_fresh=st.booleans())
    def a_group_loses_a_member(self, place, is_fresh):
        for name in groups(self.world)[place : place + 1]:
            ready(self.world, name, 0)
            pods = (
                member(self.world, name, 0, was_ready=True),
                member(self.world, name, 1, was_ready=not is_fresh),
            )
            self.world.pods = (*(pod for pod in self.world.pods if pod.group != name), *pods)

    @rule(minutes=st.integers(1, 12))
    def time_passes(self, minutes):
        self.world.wait(minutes=minutes)

    @rule()
    def the_status_is_lost(self):
        self.world.body["status"] = {}

    @rule()
    def a_pass_runs(self):
        answering = self._whole(self.world.routed())

        self.world.step()

        assert not answering or self._whole(self.world.routed()), "no group answers any more"

    @rule(applied=st.integers(0, 4))
    def a_pass_is_cut_short(self, applied):
        self.world.step_cut_short(applied)

    @rule()
    def passes_run_until_nothing_is_left_to_do(self):
        self._let_lost_groups_go()
        self.world.settle()

        observed = self.world.observe()
        for name, workload in observed.workloads().items():
            assert len(groups(self.world, name)) == workload.replicas
        assert self.world.plan() == self.world.plan()

    @invariant()
    def all_members_of_a_group_are_of_one_revision(self):
        remembered = {item.name: item for item in self.world.observe().revisions()}
        for key, found in self.world.children.items():
            if key.kind != "StatefulSet":
                continue
            revision = remembered.get(label_of(found, names.REVISION_LABEL))
            if revision is not None:
                spec = found["spec"]
                assert spec["replicas"] == revision.shards
                assert spec["template"]["spec"] == revision.template["spec"]

    def _let_lost_groups_go(self):
        """As their pods do, when their StatefulSet is gone."""
        there = set(groups(self.world))
        self.world.pods = tuple(pod for pod in self.world.pods if pod.group in there)

    def _whole(self, revision):
        found = self.world.observe().groups_of(revision or "")
        return [group.name for group in found if group.is_whole]


TestLifeOfADividedModel = LifeOfADividedModel.TestCase
TestLifeOfADividedModel.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
