"""When a ModelDeployment is done, stalled, or still under way."""

import pytest

from kubectl_modelfleet.seen.deployment import read_deployment
from kubectl_modelfleet.steering.standing import Outcome, standing_of


def deployment(seen, **conditions):
    found = [
        {"type": type_, "status": status, "reason": "Because", "message": f"of {type_}"}
        for type_, status in conditions.items()
    ]
    status = {"observedGeneration": seen, "conditions": found}
    return read_deployment({"metadata": {"generation": 2}, "status": status})


@pytest.mark.parametrize(
    ("seen", "conditions", "outcome", "says"),
    [
        (2, {"Ready": "True"}, Outcome.DONE, "Because: of Ready"),
        (2, {"Ready": "False", "Reconciling": "True"}, Outcome.UNDER_WAY, "Because: of Ready"),
        (2, {"Ready": "False", "Stalled": "True"}, Outcome.STALLED, "Because: of Stalled"),
        (2, {"Ready": "False", "Stalled": "False"}, Outcome.UNDER_WAY, "Because: of Ready"),
        (2, {"Ready": "False", "Paused": "True"}, Outcome.UNDER_WAY, "Because: of Ready"),
        (
            1,
            {"Ready": "True"},
            Outcome.UNDER_WAY,
            "newest spec (generation 2, seen 1)",
        ),
        (1, {"Stalled": "True"}, Outcome.UNDER_WAY, "not seen the newest spec"),
        (None, {}, Outcome.UNDER_WAY, "not seen the newest spec (generation 2, seen -1)"),
        (2, {}, Outcome.UNDER_WAY, "the status has no condition Ready"),
    ],
)
def test_the_standing_follows_the_conditions_of_the_newest_spec(seen, conditions, outcome, says):
    found = standing_of(deployment(seen, **conditions))

    assert found.outcome is outcome
    assert says in found.says
