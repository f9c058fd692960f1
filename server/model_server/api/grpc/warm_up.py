"""Warm-up: the requests recorded beside a model, replayed before its version is available.

Source: TensorFlow Serving ``servables/tensorflow/saved_model_warmup_util.cc``, whose rules and
messages these are.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.python.lib.io import _pywrap_record_io
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from model_server.api.grpc.prediction_service import PredictionService
from model_server.core.errors import Code, ServingError
from model_server.core.servable import ServableId
from model_server.servables.platform import Servable
from model_server.service.lender import OnlyLender
from model_server.service.service import Service

FILE = os.path.join("assets.extra", "tf_serving_warmup_requests")
MOST_RECORDS = 1000

# A record that is no PredictionLog may be of any size; the message shows where it begins.
_LONGEST_SHOWN = 500


@dataclass(frozen=True)
class WarmUp:
    """Replays each record ``iterations`` times, in the file's order, through the gRPC methods.

    The requests run on the servable at hand, whatever model and version they name.
    """

    service: Service
    iterations: int = 1

    def __call__(self, id: ServableId, servable: Servable, path: str) -> None:
        """Warms up a servable that was loaded from ``path``; nothing to do without the file.

        Raises ServingError: what a request failed with, INVALID_ARGUMENT for a record that is no
        PredictionLog or one too many, UNIMPLEMENTED for logs of other kinds, DATA_LOSS for a file
        that is no TFRecord.
        """
        file = os.path.join(path, FILE)
        if not self.iterations or not tf.io.gfile.exists(file):
            return
        replays = _replays(self._alone(id, servable))
        metrics = self.service.metrics.loading
        with metrics.warm_up(path):
            for count, record in enumerate(_records(file), 1):
                if count > MOST_RECORDS:
                    raise _invalid(
                        f"Number of warmup records exceeds the maximum ({MOST_RECORDS}) at {file}"
                    )
                replay = _replay(_parsed(record, file), replays, id.name)
                for _ in range(self.iterations):
                    replay()
                metrics.warm_up_record(path)

    def _alone(self, id: ServableId, servable: Servable) -> PredictionService:
        lender = OnlyLender(id, servable)
        service = self.service
        run_predict = replace(service.run_predict, manager=lender)
        inference = replace(service.inference, manager=lender)
        return PredictionService(replace(service, run_predict=run_predict, inference=inference))


def _replays(service: PredictionService) -> dict[str, Callable[[Any], object]]:
    return {
        "predict_log": service.predict,
        "classify_log": service.classify,
        "regress_log": service.regress,
        "multi_inference_log": service.multi_inference,
    }


def _replay(
    log: PredictionLog, replays: dict[str, Callable[[Any], object]], name: str
) -> Callable[[], object]:
    kind = log.WhichOneof("log_type")
    run = replays.get(kind)
    if run is None:
        number = PredictionLog.DESCRIPTOR.fields_by_name[kind].number if kind else 0
        raise ServingError(Code.UNIMPLEMENTED, f"Unsupported log_type for warmup: {number}")
    request = getattr(log, kind).request
    # A recorded request may leave the model out: there is only this one.
    if kind != "multi_inference_log" and not request.model_spec.name:
        request.model_spec.name = name
    return lambda: run(request)


def _parsed(record: bytes, file: str) -> PredictionLog:
    try:
        return PredictionLog.FromString(record)
    except DecodeError as error:
        shown = record[:_LONGEST_SHOWN].decode("utf-8", "replace")
        raise _invalid(f"Failed to parse warmup record: {shown} from {file}") from error


def _records(file: str) -> Iterator[bytes]:
    # tf.data would start an eager runtime, and its public reader is deprecated.
    try:
        yield from _pywrap_record_io.RecordIterator(file, "")
    except tf.errors.DataLossError as error:
        raise ServingError(
            Code.DATA_LOSS,
            f"{error.message}. Please verify your warmup data is in TFRecord format.",
        ) from error
    except tf.errors.OpError as error:
        raise ServingError(Code(error.error_code), str(error.message)) from error


def _invalid(message: str) -> ServingError:
    return ServingError(Code.INVALID_ARGUMENT, message)
