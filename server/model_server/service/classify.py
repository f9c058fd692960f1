"""Classify: labels and scores for each example."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model_server.servables.dtypes import STRING
from model_server.servables.signature import CLASSIFY, Signature, Tensor, Tensors
from model_server.service.example_task import (
    INPUTS,
    check_method_name,
    described,
    invalid,
    precondition,
    shape_text,
    type_text,
)

_CLASSES, _SCORES = "classes", "scores"


@dataclass(frozen=True)
class Classes:
    """Labels (bytes) and scores (float32), both [examples, classes]; one of them may be missing."""

    labels: Tensor | None
    scores: Tensor | None

    def rows(self) -> list[list[tuple[str, float]]]:
        """For each example its classes, in the tensors' order; what is missing is "" or 0."""
        labels = self.labels.tolist() if self.labels is not None else None
        scores = self.scores.tolist() if self.scores is not None else None
        if labels is None:
            return [[("", score) for score in row] for row in scores or []]
        texts = [[label.decode("utf-8", "replace") for label in row] for row in labels]
        if scores is None:
            return [[(text, 0.0) for text in row] for row in texts]
        return [list(zip(*pair, strict=True)) for pair in zip(texts, scores, strict=True)]


@dataclass(frozen=True)
class Classify:
    """The task; see ExampleTask."""

    check_method: bool = False
    api: str = "Classify"

    def check(self, signature: Signature) -> None:
        """See ExampleTask."""
        if self.check_method:
            check_method_name(signature, "classification", CLASSIFY)
        if len(signature.inputs) != 1:
            raise invalid("Expected one input Tensor.")
        if len(signature.outputs) not in (1, 2):
            raise invalid(f"Expected one or two output Tensors, found {len(signature.outputs)}")
        if INPUTS not in signature.inputs:
            raise precondition(
                f"No classification inputs found in SignatureDef: {described(signature)}"
            )
        if not self.outputs(signature):
            raise precondition(
                "Expected classification signature outputs to contain at least one of"
                f' "{_CLASSES}" or "{_SCORES}". Signature was: {described(signature)}'
            )

    def outputs(self, signature: Signature) -> Sequence[str]:
        """See ExampleTask."""
        return [alias for alias in signature.outputs if alias in (_CLASSES, _SCORES)]

    def result(self, outputs: Tensors, count: int) -> Classes:
        """See ExampleTask."""
        labels, scores = outputs.get(_CLASSES), outputs.get(_SCORES)
        if labels is not None:
            _check(labels, _CLASSES, STRING.numpy, count)
        if scores is not None:
            _check(scores, _SCORES, np.dtype(np.float32), count)
        if labels is not None and scores is not None and labels.shape[1] != scores.shape[1]:
            raise invalid(
                "Tensors class and score should match in dim_size(1)."
                f" Got {labels.shape[1]} vs. {scores.shape[1]}"
            )
        return Classes(labels, scores)


def _check(tensor: Tensor, name: str, dtype: np.dtype[np.generic], count: int) -> None:
    if tensor.ndim != 2:
        raise invalid(
            f"Expected Tensor shape: [batch_size num_classes] but got {shape_text(tensor)}"
        )
    if tensor.dtype != dtype:
        wanted = "DT_STRING" if name == _CLASSES else "DT_FLOAT"
        raise invalid(f"Expected {name} Tensor of {wanted}. Got: {type_text(tensor)}")
    if tensor.shape[0] != count:
        raise invalid(f"Expected {name} output batch size of {count}. Got: {tensor.shape[0]}")
