"""What is rendered for an input stays the same, byte for byte, in every release.

A change of a golden file is a change of running pods for new revisions; say so in CHANGELOG.md.
They are changed by hand, with the diff of the failing test at hand.
"""

from pathlib import Path

import pytest
import yaml

from model_operator.domain.seen.observed import Observed
from model_operator.domain.wish.spec import parse
from model_operator.plan.arms.tracks import tracks_of
from model_operator.plan.desired import desired_objects
from simulated_world import IMAGE, NOON, model_deployment


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
GPU = model_deployment(
    accelerator={"resource": "nvidia.com/gpu", "count": 2, "product": "NVIDIA-A100-SXM4-80GB"},
    scheduling={
        "nodeSelector": {"pool": "models"},
        "tolerations": [{"key": "team", "operator": "Exists"}],
        "topologySpreadConstraints": [
            {"maxSkew": 1, "topologyKey": "rack", "whenUnsatisfiable": "DoNotSchedule"}
        ],
        "priorityClassName": "high",
        "serviceAccountName": "models",
        "imagePullSecrets": [{"name": "registry"}],
    },
)
SHARED = model_deployment(
    accelerator={
        "resource": "nvidia.com/gpu",
        "product": "NVIDIA-L4",
        "sharing": {"strategy": "TimeSlicing", "clients": 4},
    },
)
TPU = model_deployment(
    accelerator={
        "resource": "google.com/tpu",
        "tpu": {"type": "tpu-v5-lite-podslice", "topology": "2x4"},
    },
)
BATCHED = model_deployment(
    model={"platform": "python"},
    serving={
        "batching": {
            "maxBatchSize": 32,
            "batchTimeoutMicros": 1000,
            "maxEnqueuedBatches": 100,
            "numBatchThreads": 2,
            "allowedBatchSizes": [8, 16, 32],
        }
    },
)
FILE = model_deployment(model={"uri": "file:///srv/models/ranker"})

ARMS = model_deployment(
    variants=[{"name": "big", "model": {"version": 9}, "weight": 20, "replicas": 2}],
    shadow={"model": {"version": 10}, "percent": 10},
)
SLICE = model_deployment(
    accelerator={
        "resource": "google.com/tpu",
        "tpu": {"type": "tpu-v5-lite-podslice", "topology": "4x4"},
    },
    sharding={"shards": 4, "recovery": "WholeGroup"},
)
SHARDED = model_deployment(sharding={"shards": 3, "recovery": "Member"}, replicas=2)


@pytest.mark.parametrize(
    ("body", "name"),
    [
        pytest.param(model_deployment(), "smallest.yaml", id="the smallest manifest"),
        pytest.param(FULL, "full.yaml", id="all of model and serving"),
        pytest.param(GPU, "gpu.yaml", id="two GPUs of a product"),
        pytest.param(SHARED, "shared-gpu.yaml", id="a part of a GPU"),
        pytest.param(TPU, "tpu.yaml", id="a TPU slice"),
        pytest.param(BATCHED, "batched.yaml", id="batches of a platform"),
        pytest.param(FILE, "file.yaml", id="a folder of the node"),
        pytest.param(ARMS, "arms.yaml", id="a variant and a shadow"),
        pytest.param(SLICE, "slice.yaml", id="a TPU slice of four hosts"),
        pytest.param(SHARDED, "sharded.yaml", id="two groups of three shards"),
    ],
)
def test_rendering_is_stable(body, name):
    deployment = parse(body, allows_node_paths=True)

    objects = desired_objects(tracks_of(deployment, Observed(), NOON, IMAGE))

    assert yaml.dump_all(objects, Dumper=Plain, sort_keys=False) == (GOLDEN / name).read_text()
