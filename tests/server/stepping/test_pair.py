"""Which signatures step and head belong together, and what is served of them."""

import logging

import numpy as np
import pytest

from model_server.batching.steps.stepper import StepLimits
from model_server.core.errors import Code, ServingError
from model_server.core.servable import ServableId
from model_server.servables.batched import unbatched
from model_server.servables.dtypes import FLOAT, INT64
from model_server.servables.signature import Signature, TensorSpec
from model_server.servables.stepping.stepped import Stepping

X = {"x": (FLOAT, (-1,))}
SUM = {"sum": (FLOAT, (-1,))}


def signature(name, inputs, outputs):
    def specs(tensors):
        return {alias: TensorSpec(alias, *tensor) for alias, tensor in tensors.items()}

    return Signature(name, specs(inputs), specs(outputs))


class Summing:
    """Any signatures; step adds x to sum, and head hands on the sum."""

    def __init__(self, *signatures):
        self.signatures = {each.name: each for each in signatures}

    def run(self, signature, inputs, outputs):
        if signature.name == "step":
            return [inputs["sum"] + inputs["x"]]
        return [inputs["sum"] for _ in outputs]


STEP = signature("step", X | SUM, SUM)
HEAD = signature("head", SUM, {"total": SUM["sum"], "same": SUM["sum"]})


def served(*signatures):
    loaded = Summing(*signatures)
    return loaded, Stepping(StepLimits())(ServableId("m", 1), loaded, "")


def test_a_pair_brings_signatures_of_whole_sequences():
    loaded, servable = served(STEP, HEAD)

    assert set(servable.signatures) == {"step", "head", "sequence", "serving_default"}
    assert servable.signatures["sequence"].inputs["x"].shape == (-1, -1)
    assert unbatched(servable) is loaded


def test_a_default_signature_of_the_model_stays():
    own = signature("serving_default", X, SUM)

    _, servable = served(STEP, HEAD, own)

    assert servable.signatures["serving_default"] is own
    assert "sequence" in servable.signatures


def run(servable, outputs=("total",), **inputs):
    called = servable.signatures["sequence"]
    return [each.tolist() for each in servable.run(called, {**called.defaults, **inputs}, outputs)]


def test_sequences_are_taken_whole_or_as_long_as_said():
    _, servable = served(STEP, HEAD)
    x = np.array([[1, 2, 3], [4, 5, 6]], np.float32)

    assert run(servable, x=x) == [[6, 15]]
    assert run(servable, x=x, lengths=np.array([1, 0], np.int32)) == [[1, 0]]
    assert run(servable, ("same", "total"), x=x) == [[6, 15], [6, 15]]


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"x": np.ones(3)}, r"x must have rows and steps as first dimensions; has \(3,\)"),
        (
            {"x": np.ones([2, 3]), "lengths": np.array([1])},
            r"lengths must have shape \[2\]; has \[1\]",
        ),
        (
            {"x": np.ones([2, 3]), "lengths": np.array([1, 4])},
            r"lengths\[1\] is 4; there are 3 steps",
        ),
        (
            {"x": np.ones([2, 3]), "lengths": np.array([-1, 3])},
            r"lengths\[0\] is -1; there are 3 steps",
        ),
    ],
)
def test_sequences_that_cannot_be_are_refused(inputs, said):
    _, servable = served(STEP, HEAD)

    with pytest.raises(ServingError, match=said) as error:
        run(servable, **inputs)

    assert error.value.code is Code.INVALID_ARGUMENT


def test_inputs_with_other_numbers_of_steps_are_refused():
    two = signature("step", {**X, "y": X["x"], **SUM}, SUM)
    _, servable = served(two, HEAD)

    with pytest.raises(ServingError, match="inputs must have as many rows and steps each"):
        run(servable, x=np.ones([1, 2]), y=np.ones([1, 3]))


@pytest.mark.parametrize(
    ("step", "head", "said"),
    [
        (
            signature("step", X, SUM),
            HEAD,
            "no input of step is among its outputs, so there is no state",
        ),
        (
            signature("step", SUM, SUM),
            HEAD,
            "all inputs of step are states, so there is nothing for a step to take",
        ),
        (
            signature("step", X | SUM | {"lengths": X["x"]}, SUM),
            HEAD,
            "an input of step is called lengths, as that of sequence",
        ),
        (
            STEP,
            signature("head", SUM | X, SUM),
            "head takes ['x']; it can take states: ['sum']",
        ),
        (
            signature("step", X | SUM, {"sum": (INT64, (-1,))}),
            HEAD,
            "state sum goes in as float and comes out as int64",
        ),
        (
            signature("step", X | {"sum": (FLOAT, (-1, -1))}, SUM),
            HEAD,
            "state sum has shape (-1, -1); it must be any number of rows, and otherwise known",
        ),
    ],
)
def test_signatures_that_do_not_belong_together_are_served_as_they_are(step, head, said, caplog):
    with caplog.at_level(logging.WARNING):
        loaded, servable = served(step, head)

    assert servable is loaded
    assert f"Signatures step and head of {{name: m version: 1}} are not stepped: {said}" in (
        caplog.text
    )
