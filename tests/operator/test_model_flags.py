"""What a spec says of platform and batching is what model-server itself reads from the flags."""

from datetime import timedelta

import pytest

from model_operator.domain.errors import InvalidSpec
from model_operator.domain.wish.spec import parse as parse_spec
from model_operator.render.pod import pod_template
from model_server.options.batching import Batching
from model_server.options.checks import check
from model_server.options.command_line import parse
from model_server.options.model_config import read_model_config
from model_server.options.platforms import platforms_of
from model_server.servables.runtimes import runtimes_of
from simulated_world import IMAGE, model_deployment

BY_DEFAULT = Batching(threads_name="model_server_batch_threads")
EVERYTHING = {
    "maxBatchSize": 32,
    "batchTimeoutMicros": 1000,
    "maxEnqueuedBatches": 100,
    "numBatchThreads": 2,
    "allowedBatchSizes": [8, 16, 32],
}


def options_of(**spec):
    """The options with which model-server starts in the pod."""
    template = pod_template(parse_spec(model_deployment(**spec)), "ranker-1", IMAGE)
    line = parse(template["spec"]["containers"][0]["args"])
    assert line.unknown == ()
    check(line.options)
    return line.options


@pytest.mark.parametrize(
    ("model", "platform", "allowed"),
    [
        pytest.param({}, "tensorflow", {}, id="none is named"),
        pytest.param({"platform": "onnx"}, "onnx", {}, id="one that is on by itself"),
        pytest.param({"platform": "python"}, "python", {"python": None}, id="one that is not"),
    ],
)
def test_the_server_runs_the_model_on_the_platform_that_is_named(model, platform, allowed):
    options = options_of(model=model)

    assert read_model_config(options).model_config_list.config[0].model_platform == platform
    assert platforms_of(options) == allowed


@pytest.mark.parametrize(
    ("serving", "batching"),
    [
        pytest.param({}, None, id="absent"),
        pytest.param({"batching": {}}, BY_DEFAULT, id="empty"),
        pytest.param({"batching": {"allowedBatchSizes": []}}, BY_DEFAULT, id="an empty list"),
        pytest.param(
            {"batching": {"batchTimeoutMicros": 0, "numBatchThreads": 3}},
            Batching(threads=3),
            id="a part",
        ),
        pytest.param(
            {"batching": EVERYTHING},
            Batching(
                max_size=32,
                timeout=timedelta(milliseconds=1),
                max_enqueued=100,
                threads=2,
                allowed_sizes=(8, 16, 32),
                max_execution_size=32,
            ),
            id="everything",
        ),
    ],
)
def test_the_server_makes_the_batches_that_are_asked_for(serving, batching):
    assert runtimes_of(options_of(serving=serving)).common.batching == batching


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        pytest.param({"model": {"platform": "$(A)"}}, "spec.model.platform", id="a variable"),
        pytest.param({"model": {"platform": 7}}, "spec.model.platform", id="a number"),
        pytest.param({"serving": {"batching": []}}, "spec.serving.batching", id="a list"),
        pytest.param(
            {"serving": {"batching": {"maxBatchSize": True}}},
            "spec.serving.batching.maxBatchSize",
            id="a yes for a size",
        ),
        pytest.param(
            {"serving": {"batching": {"numBatchThreads": 4097}}},
            "spec.serving.batching.numBatchThreads",
            id="too many threads",
        ),
        pytest.param(
            {"serving": {"batching": {"maxBatchSize": 4, "allowedBatchSizes": [0, 4]}}},
            "spec.serving.batching.allowedBatchSizes",
            id="a size of no rows",
        ),
        pytest.param(
            {"serving": {"batching": {"maxBatchSize": 4, "allowedBatchSizes": [4, 4]}}},
            "spec.serving.batching.allowedBatchSizes",
            id="a size twice",
        ),
        pytest.param(
            {"serving": {"batching": {"maxBatchSize": 4, "allowedBatchSizes": [2]}}},
            "spec.serving.batching.allowedBatchSizes",
            id="another last size",
        ),
    ],
)
def test_what_an_older_crd_may_have_let_in_is_refused_with_its_field(spec, field):
    with pytest.raises(InvalidSpec, match=f"^{field}: "):
        parse_spec(model_deployment(**spec))
