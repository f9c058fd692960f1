"""SavedModels with step and head: a server advances the sequences of all requests together."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis.get_model_metadata_pb2 import GetModelMetadataRequest, SignatureDefMap
from tensorflow_serving.apis.predict_pb2 import PredictRequest

from server.conftest import model_config
from server.stepping import recurrent_models
from server.transports import NAMES

LENGTHS = (5, 1, 30, 0, 12)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("stepping")
    recurrent_models.recurrent(root / "recurrent" / "1")
    recurrent_models.recurrent(root / "looping" / "1", loop=True)
    return root


def request(x, model="recurrent", signature="sequence", lengths=None):
    asked = PredictRequest(model_spec={"name": model, "signature_name": signature})
    asked.inputs["x"].CopyFrom(tf.make_tensor_proto(x))
    if lengths is not None:
        asked.inputs["lengths"].CopyFrom(tf.make_tensor_proto(lengths, tf.int32))
    return asked


@pytest.mark.parametrize("transport", NAMES)
def test_sequences_are_answered_as_by_the_loop_and_by_both_loaders(started, folder, transport):
    running = started(
        " ".join(model_config(each) for each in sorted(folder.iterdir())),
        transport=transport,
        # The native one needs no threads for sequences that wait.
        grpc_max_threads=1 if transport == "native" else 8,
        enable_batching=True,
    )
    running.http.wait_until_ready()
    sequences = recurrent_models.sequences(*LENGTHS)
    module = tf.saved_model.load(str(folder / "recurrent" / "1")).signatures
    predict = running.grpc.prediction.Predict

    with ThreadPoolExecutor(len(sequences)) as pool:
        stepped = list(pool.map(lambda x: predict(request(x), 60).outputs, sequences))
        looped = list(
            pool.map(
                lambda x: predict(request(x, "looping", "serving_default"), 60).outputs, sequences
            )
        )

    for x, one, other in zip(sequences, stepped, looped, strict=True):
        h = tf.zeros([1, recurrent_models.UNITS])
        for number in range(x.shape[1]):
            h = module["step"](x=tf.constant(x[:, number]), h=h)["h"]
        for alias, expected in module["head"](h=h).items():
            found, by_loop = (tf.make_ndarray(each[alias]) for each in (one, other))
            np.testing.assert_allclose(found, expected, rtol=1e-5)
            np.testing.assert_allclose(found, by_loop, rtol=1e-5)


def test_padded_sequences_are_answered_over_both_apis(started, folder):
    running = started(model_config(folder / "recurrent"))
    running.http.wait_until_ready()
    first, second = recurrent_models.sequences(2, 4)
    padded = np.concatenate([np.pad(first, [(0, 0), (0, 2), (0, 0)], constant_values=9), second])
    predict = running.grpc.prediction.Predict

    both = predict(request(padded, lengths=[2, 4]), 60).outputs["total"]
    alone = [predict(request(x), 60).outputs["total"].float_val[0] for x in (first, second)]
    rest = running.http.post(
        "/v1/models/recurrent:predict",
        {"inputs": {"x": padded.tolist(), "lengths": [2, 4]}},
    )

    np.testing.assert_allclose(both.float_val, alone, rtol=1e-5)
    np.testing.assert_allclose(rest.json["outputs"]["total"], alone, rtol=1e-5)


def test_the_signature_of_sequences_is_among_those_of_the_model(started, folder):
    running = started(model_config(folder / "recurrent"))
    running.http.wait_until_ready()

    found = running.grpc.prediction.GetModelMetadata(
        GetModelMetadataRequest(model_spec={"name": "recurrent"}, metadata_field=["signature_def"]),
        60,
    )

    definitions = SignatureDefMap()
    found.metadata["signature_def"].Unpack(definitions)
    sequence = definitions.signature_def["sequence"]
    assert sorted(sequence.inputs) == ["lengths", "x"]
    assert [dim.size for dim in sequence.inputs["x"].tensor_shape.dim] == [-1, -1, 4]
    assert sorted(sequence.outputs) == ["largest", "total"]
