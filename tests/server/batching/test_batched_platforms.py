"""Requests to models of every platform share runs.

A batch waits an hour or until six rows fill it, so a test whose requests were not merged would
not end.
"""

from collections.abc import Iterator

import pytest
import tensorflow as tf
from tensorflow_serving.apis.predict_pb2 import PredictRequest

from server.conftest import Running, serve
from server.platforms.kinds import KINDS, Kind

SIX_ROWS = "max_batch_size { value: 6 } batch_timeout_micros { value: 3600000000 }"


@pytest.fixture(scope="module")
def batched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server with a model of each platform, named after it, in batches of six rows."""
    root, entries = tmp_path_factory.mktemp("batched"), ""
    parameters = root / "parameters"
    parameters.write_text(SIX_ROWS)
    for kind in KINDS:
        kind.make(root / kind.platform / "7")
        entries += kind.config(root)
    running = serve(
        entries,
        servable_platforms="python",
        enable_batching=True,
        batching_parameters_file=str(parameters),
    )
    running.http.wait_until_ready()
    yield running
    running.end()


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_two_requests_that_fill_a_batch_get_their_own_answers(batched: Running, kind: Kind) -> None:
    there = PredictRequest(model_spec={"name": kind.platform})
    there.inputs[kind.alias].CopyFrom(kind.tensor(kind.asked))
    back = PredictRequest(model_spec={"name": kind.platform})
    back.inputs[kind.alias].CopyFrom(kind.tensor(kind.asked[::-1]))

    under_way = [batched.grpc.prediction.Predict.future(each, 60) for each in (there, back)]
    rows = [answer.result().outputs for answer in under_way]

    for alias in dict(kind.outputs):
        first, second = (tf.make_ndarray(outputs[alias]).tolist() for outputs in rows)
        assert first == second[::-1]
        assert len(set(first)) > 1
