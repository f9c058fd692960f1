"""The recommender's graph: which of some items suit a user best. It holds no numbers."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from recommender_rows import HIDDEN, WIDTH, Tables
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

BEST = 5
CANDIDATES_OF_AN_EXAMPLE = 10

v1 = tf.compat.v1
# The forms of TensorFlow 1 are meant here, whatever is told about them.
tf.get_logger().setLevel("ERROR")


def saved_model(tables: Tables) -> Any:
    """The protobuf of ``saved_model.pb``, with two signatures.

    serving_default: user int64[-1], candidates int64[-1, -1] -> items int64[-1, 5] and scores
    float32[-1, 5], the best first. rank_examples: the same from serialized tf.Examples with the
    features "user" and "candidates", ten of them.
    """
    with tf.Graph().as_default() as graph:
        ranks = _Ranks(tables)
        user = v1.placeholder(tf.int64, [None], "user")
        candidates = v1.placeholder(tf.int64, [None, None], "candidates")
        examples = v1.placeholder(tf.string, [None], "examples")
        signature = v1.saved_model.predict_signature_def
        signatures = {
            "serving_default": signature(
                {"user": user, "candidates": candidates}, ranks.best(user, candidates)
            ),
            "rank_examples": signature({"examples": examples}, ranks.best(*_parsed(examples))),
        }
        saver = v1.train.Saver(save_relative_paths=True).as_saver_def()
        meta_graph = v1.train.export_meta_graph(graph_def=graph.as_graph_def(), saver_def=saver)
    meta_graph.meta_info_def.tags.append(v1.saved_model.tag_constants.SERVING)
    for name, definition in signatures.items():
        meta_graph.signature_def[name].CopyFrom(definition)
    found = SavedModel(saved_model_schema_version=1)
    found.meta_graphs.append(meta_graph)
    return found


class _Ranks:
    """The variables, made as nodes only: none takes memory here."""

    def __init__(self, tables: Tables) -> None:
        self._users = _variable(tables.users.name, tables.users.rows)
        self._items = _variable(tables.items.name, tables.items.rows)
        self._hidden = _variable(HIDDEN, WIDTH)

    def best(self, user: Any, candidates: Any) -> dict[str, Any]:
        wish = tf.nn.relu(tf.gather(self._users, user) @ self._hidden)
        offers = tf.gather(self._items, candidates)
        scores = tf.linalg.matvec(offers, wish)
        count = tf.minimum(BEST, tf.shape(candidates)[1])
        best, places = tf.math.top_k(scores, count)
        return {"items": tf.gather(candidates, places, batch_dims=1), "scores": best}


def _variable(name: str, rows: int) -> Any:
    initially = tf.zeros_initializer()
    return v1.get_variable(name, [rows, WIDTH], initializer=initially, use_resource=True)


def _parsed(examples: Any) -> tuple[Any, Any]:
    features = {
        "user": tf.io.FixedLenFeature([], tf.int64),
        "candidates": tf.io.FixedLenFeature([CANDIDATES_OF_AN_EXAMPLE], tf.int64),
    }
    parsed = tf.io.parse_example(examples, features)
    return parsed["user"], parsed["candidates"]
