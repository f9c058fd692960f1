"""A model that is served by groups, and what it answers as a whole."""

import pytest
import tensorflow as tf

from server.sharding import models
from server.sharding.members import ROWS, Members


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A base path with one version, made once."""
    folder = tmp_path_factory.mktemp("models") / "ranker"
    models.recommender(folder / "1", ROWS, ROWS)
    return folder


@pytest.fixture
def group():
    made = []

    def make(folder, count=2, **options):
        made.append(Members(folder, count, **options))
        return made[-1]

    yield make
    for each in made:
        for rank in list(each.running):
            each.end(rank)


@pytest.fixture(scope="module")
def wanted(model):
    """What the whole model answers on one server."""
    graph = tf.Graph()
    session = tf.compat.v1.Session(graph=graph)
    with graph.as_default():
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], str(model / "1"))
    signature = loaded.signature_def["serving_default"]
    output = signature.outputs["scores"].name
    yield lambda ids: session.run(output, {signature.inputs["ids"].name: ids})
    session.close()
