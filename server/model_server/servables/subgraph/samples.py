"""Requests to try a model with: given, or recorded beside it for its warm-up."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from model_server.servables import tensors
from model_server.servables.batch_ops.bodies import CannotBatch
from model_server.servables.signature import DEFAULT_SIGNATURE, Tensors

WARM_UP_FILE = Path("assets.extra", "tf_serving_warmup_requests")
_INPUTS = "inputs"


@dataclass(frozen=True)
class Sample:
    """One request: a signature's name, and an array for each of its inputs."""

    signature: str
    inputs: Tensors


def recorded_samples(file: Path) -> list[Sample]:
    """The Predict, Classify and Regress requests of a TFRecord file of PredictionLogs.

    Raises CannotBatch if the file cannot be read, or has none.
    """
    try:
        records = list(tf.data.TFRecordDataset(str(file)).as_numpy_iterator())
        samples = [sample for record in records for sample in _samples(record)]
    except (tf.errors.OpError, DecodeError, ValueError) as error:
        raise CannotBatch(f"cannot read sample requests of {file}: {error}") from error
    if not samples:
        raise CannotBatch(f"there is no Predict, Classify or Regress request in {file}")
    return samples


def _samples(record: bytes) -> Iterator[Sample]:
    log = PredictionLog.FromString(record)
    kind = log.WhichOneof("log_type")
    if kind == "predict_log":
        request = log.predict_log.request
        yield Sample(_signature(request), _decoded(request.inputs))
    elif kind in ("classify_log", "regress_log"):
        request = getattr(log, kind).request
        examples = [each.SerializeToString() for each in request.input.example_list.examples]
        yield Sample(_signature(request), {_INPUTS: np.array(examples, dtype=object)})


def _signature(request: Any) -> str:
    return request.model_spec.signature_name or DEFAULT_SIGNATURE


def _decoded(inputs: Mapping[str, Any]) -> Tensors:
    return {alias: tensors.decode(proto) for alias, proto in inputs.items()}
