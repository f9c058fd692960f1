"""What is rendered for an input stays the same, byte for byte, in every release.

A change of a golden file is a change of running pods for new revisions; say so in CHANGELOG.md.
They are changed by hand, with the diff of the failing test at hand.
"""

from pathlib import Path

import pytest
import yaml

from model_operator.domain.observed import Observed
from model_operator.domain.spec import parse
from model_operator.plan.choice import Choice
from model_operator.plan.desired import desired_objects, wanted_revision
from simulated_world import IMAGE, model_deployment


class Plain(yaml.SafeDumper):
    """YAML without anchors, so that each object can be read alone."""

    def ignore_aliases(self, data):
        return True


GOLDEN = Path(__file__).parent / "golden"

FULL = model_deployment(
    name="ranker-large",
    model={"name": "ranker", "uri": "pvc://models.shop/rankers/large", "version": 7},
    serving={
        "image": "registry.example/server:2",
        "args": ["--tensorflow_intra_op_parallelism=4"],
        "env": [
            {"name": "TF_CPP_MIN_LOG_LEVEL", "value": "1"},
            {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
        ],
        "resources": {"requests": {"cpu": "500m"}, "limits": {"memory": "2Gi"}},
    },
    replicas=3,
)
FILE = model_deployment(model={"uri": "file:///srv/models/ranker"})


@pytest.mark.parametrize(
    ("body", "name"),
    [
        pytest.param(model_deployment(), "smallest.yaml", id="the smallest manifest"),
        pytest.param(FULL, "full.yaml", id="every field"),
        pytest.param(FILE, "file.yaml", id="a folder of the node"),
    ],
)
def test_rendering_is_stable(body, name):
    deployment = parse(body, allows_node_paths=True)
    wanted = wanted_revision(deployment, Observed(), IMAGE)

    objects = desired_objects(deployment, Observed(), Choice(wanted, None))

    assert yaml.dump_all(objects, Dumper=Plain, sort_keys=False) == (GOLDEN / name).read_text()
