"""Which platforms and which batching the API server accepts, and how it refuses the rest."""

import pytest

from api_server import Refused
from simulated_world import manifest

pytestmark = pytest.mark.api

FIELD = "spec.serving.batching"
EVERYTHING = {
    "maxBatchSize": 32,
    "batchTimeoutMicros": 1000,
    "maxEnqueuedBatches": 100,
    "numBatchThreads": 2,
    "allowedBatchSizes": [8, 16, 32],
}
LARGEST = {
    "maxBatchSize": 2**31 - 1,
    "batchTimeoutMicros": 86_400_000_000,
    "maxEnqueuedBatches": 2**31 - 1,
    "numBatchThreads": 4096,
    "allowedBatchSizes": [*range(1, 64), 2**31 - 1],
}


@pytest.mark.parametrize("platform", ["tensorflow", "tflite", "onnx", "python", "_My.own-2"])
def test_a_platform_is_accepted_by_its_name(api_server, platform):
    api_server.apply(manifest(model={"platform": platform}))

    assert api_server.get("md", "ranker")["spec"]["model"]["platform"] == platform


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        pytest.param(
            {"model": {"platform": ""}}, "spec.model.platform: use letters", id="no name at all"
        ),
        pytest.param(
            {"model": {"platform": "a=b:C"}},
            "spec.model.platform: use letters",
            id="a class of one's own",
        ),
        pytest.param(
            {"model": {"platform": "$(A)"}}, "spec.model.platform: use letters", id="a variable"
        ),
        pytest.param({"model": {"platform": "a" * 64}}, "spec.model.platform: Too long", id="long"),
        pytest.param(
            {"model": {"platform": "onnx"}, "serving": {"args": ["--model_platform=tflite"]}},
            "spec.serving.args: the flag model_platform follows",
            id="two platforms",
        ),
        pytest.param(
            {"serving": {"batching": {}, "args": ["--enable_batching=false"]}},
            "spec.serving.args: the flags enable_batching, batching_parameters",
            id="batching by the spec and by a flag",
        ),
        pytest.param(
            {"serving": {"batching": {}, "args": ["--batching_parameters_file=/x"]}},
            "spec.serving.args: the flags enable_batching, batching_parameters",
            id="parameters by a file too",
        ),
    ],
)
def test_a_platform_or_a_flag_that_cannot_be_is_refused(api_server, spec, message):
    with pytest.raises(Refused) as refusal:
        api_server.apply(manifest(**spec))

    assert message in str(refusal.value)


@pytest.mark.parametrize(
    "batching",
    [
        pytest.param({}, id="the defaults"),
        pytest.param(EVERYTHING, id="every parameter"),
        pytest.param(LARGEST, id="all at the upper end"),
        pytest.param({"allowedBatchSizes": []}, id="no sizes"),
    ],
)
def test_batching_is_accepted_and_kept_whole(api_server, batching):
    api_server.apply(manifest(serving={"batching": batching}))

    assert api_server.get("md", "ranker")["spec"]["serving"]["batching"] == batching


@pytest.mark.parametrize(
    ("batching", "message"),
    [
        pytest.param({"maxBatch": 1}, f'unknown field "{FIELD}.maxBatch"', id="an unknown field"),
        pytest.param({"maxBatchSize": 0}, f"{FIELD}.maxBatchSize: Invalid value", id="no rows"),
        pytest.param(
            {"maxBatchSize": 2**31}, f"{FIELD}.maxBatchSize: Invalid value", id="too many rows"
        ),
        pytest.param(
            {"batchTimeoutMicros": -1}, f"{FIELD}.batchTimeoutMicros: Invalid", id="a time before"
        ),
        pytest.param(
            {"batchTimeoutMicros": 86_400_000_001},
            f"{FIELD}.batchTimeoutMicros: Invalid",
            id="over a day",
        ),
        pytest.param(
            {"maxEnqueuedBatches": 0}, f"{FIELD}.maxEnqueuedBatches: Invalid", id="no queue"
        ),
        pytest.param({"numBatchThreads": 0}, f"{FIELD}.numBatchThreads: Invalid", id="no thread"),
        pytest.param(
            {"numBatchThreads": 4097}, f"{FIELD}.numBatchThreads: Invalid", id="too many threads"
        ),
        pytest.param(
            {"maxBatchSize": 8, "allowedBatchSizes": [0, 8]},
            f"{FIELD}.allowedBatchSizes[0]: Invalid",
            id="a size of no rows",
        ),
        pytest.param(
            {"maxBatchSize": 8, "allowedBatchSizes": [4, 2, 8]},
            f"{FIELD}.allowedBatchSizes: each must be higher",
            id="sizes that fall",
        ),
        pytest.param(
            {"maxBatchSize": 8, "allowedBatchSizes": [4, 4, 8]},
            f"{FIELD}.allowedBatchSizes: each must be higher",
            id="a size twice",
        ),
        pytest.param(
            {"maxBatchSize": 8, "allowedBatchSizes": [2, 4]},
            f"{FIELD}.allowedBatchSizes: the last must be maxBatchSize",
            id="another last size",
        ),
        pytest.param(
            {"allowedBatchSizes": [8]},
            f"{FIELD}.allowedBatchSizes: the last must be maxBatchSize",
            id="sizes without a largest",
        ),
        pytest.param(
            {"maxBatchSize": 65, "allowedBatchSizes": [*range(1, 66)]},
            f"{FIELD}.allowedBatchSizes: Too many",
            id="too many sizes",
        ),
    ],
)
def test_batching_that_cannot_be_is_refused_with_the_fields_name(api_server, batching, message):
    with pytest.raises(Refused) as refusal:
        api_server.apply(manifest(serving={"batching": batching}))

    assert message in str(refusal.value)
