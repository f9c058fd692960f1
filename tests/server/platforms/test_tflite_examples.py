"""TensorFlow Lite models that parse tf.Examples answer as TensorFlow does."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from model_server.core.errors import Code, ServingError
from model_server.servables.platform import Runtime
from model_server.servables.tflite.examples import without_parsing
from model_server.servables.tflite.model import TfLite
from server.formats import tflite_models as models

FLOATS = st.floats(-1e3, 1e3, width=32)
VALUES = st.fixed_dictionaries(
    {"x": st.lists(FLOATS, min_size=1, max_size=1)},
    optional={
        "pair": st.lists(FLOATS, min_size=2, max_size=2),
        "word": st.lists(st.binary(max_size=9), min_size=1, max_size=1),
        "some": st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=4),
        "many": st.lists(FLOATS, min_size=1, max_size=4),
        "other": st.lists(FLOATS, min_size=1, max_size=4),
    },
)


def example(**values) -> bytes:
    """A serialized tf.Example."""
    found = tf.train.Example()
    for key, items in values.items():
        feature = found.features.feature[key]
        kinds = {float: feature.float_list, int: feature.int64_list, bytes: feature.bytes_list}
        kinds[type(items[0])].value.extend(items)
    return found.SerializeToString()


def examples(*serialized: bytes):
    array = np.empty(len(serialized), object)
    array[:] = serialized
    return array


@pytest.fixture(scope="module")
def load(tmp_path_factory):
    """Loads a model's bytes."""

    def load_it(content, **runtime):
        folder = models.written(tmp_path_factory.mktemp("m"), content)
        return TfLite(Runtime(**runtime)).load("m", 1, str(folder))

    return load_it


@pytest.fixture(scope="module")
def parsing(load):
    return load(models.features())


def ask(servable, inputs):
    signature = servable.signatures["serving_default"]
    outputs = list(signature.outputs)
    return dict(zip(outputs, servable.run(signature, {"inputs": inputs}, outputs), strict=True))


@given(st.lists(VALUES, max_size=5))
@settings(max_examples=40)
def test_features_are_those_that_tensorflow_finds(parsing, values):
    inputs = examples(*(example(**each) for each in values))

    found = ask(parsing, inputs)

    wanted = models.Functions().features(tf.constant(inputs, tf.string))
    assert found.keys() == wanted.keys()
    for alias, value in wanted.items():
        np.testing.assert_array_equal(found[alias], value.numpy())


@pytest.mark.parametrize(
    "inputs",
    [examples(example(pair=[1.0, 2.0])), examples(example(x=[1.0, 2.0])), examples(b"\xff")],
    ids=["a feature is missing", "a feature is too long", "no Example"],
)
def test_examples_that_do_not_fit_are_refused(parsing, inputs):
    with pytest.raises(ServingError) as raised:
        ask(parsing, inputs)

    assert raised.value.code is Code.INVALID_ARGUMENT


def test_the_older_operation_parses_too(load):
    found = ask(load(models.regression()), examples(example(x=[2.0]), example(s=[1, 2])))

    assert found["outputs"].tolist() == [[3.0], [5.5]]


def test_requests_of_many_examples_are_split(load):
    servable = load(models.regression(), tflite_pools=2, tflite_interpreters_per_pool=50)
    numbers = [float(number) for number in range(35)]

    found = ask(servable, examples(*(example(x=[number]) for number in numbers)))

    assert found["outputs"].ravel().tolist() == [0.5 * number + 2 for number in numbers]


def test_a_model_that_parses_nothing_stays_as_it_is():
    content = models.half_plus_two()

    assert without_parsing(content) == (content, ())
