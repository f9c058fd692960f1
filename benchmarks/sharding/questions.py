"""Predict requests for the recommender, as bytes, and what is compared of their answers."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from recommender_rows import Tables
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse

from benchmarks.sharding.groups import MODEL

METHOD = "/tensorflow.serving.PredictionService/Predict"
# A row of a request looks up one user and two items.
CANDIDATES = 2


@dataclass(frozen=True)
class Questions:
    """Requests of so many rows each; their ids are the same in each run."""

    rows: int
    requests: tuple[bytes, ...]


def questions(tables: Tables, rows: int, count: int) -> Questions:
    """Requests about random users and items."""
    rng = np.random.default_rng(rows)
    made = []
    for _ in range(count):
        request = PredictRequest(model_spec={"name": MODEL})
        ids = {
            "user": rng.integers(tables.users.rows, size=rows),
            "candidates": rng.integers(tables.items.rows, size=(rows, CANDIDATES)),
        }
        for name, values in ids.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(values))
        made.append(request.SerializeToString())
    return Questions(rows, tuple(made))


def answer_of(response: bytes) -> dict[str, bytes]:
    """The values of an answer, to be compared bit by bit."""
    outputs = PredictResponse.FromString(response).outputs
    return {name: tf.make_ndarray(tensor).tobytes() for name, tensor in outputs.items()}
