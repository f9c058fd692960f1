"""Predict as the native transport answers it without Python: for whom, and what is counted."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NoReturn

import grpc
from google.protobuf.message import DecodeError
from tensorflow_serving.apis.model_pb2 import ModelSpec as ModelSpecMessage
from tensorflow_serving.apis.predict_pb2 import PredictRequest

from model_server.api.grpc.direct import Otherwise
from model_server.api.grpc.prediction_service import SERVICE
from model_server.api.grpc.unary import counted
from model_server.api.messages.specs import fill, spec_of
from model_server.batching.answer import Answer
from model_server.batching.bundle import Bundle
from model_server.core.errors import Code, ServingError
from model_server.core.servable import ServableId
from model_server.servables.direct_terms import Terms
from model_server.servables.saved_model.model import without_trace
from model_server.servables.signature import PART_PREFIX, Signature
from model_server.service.metrics.kinds import LATENCIES
from model_server.service.metrics.requests import GRAPH_TIMES, Requests, Runs
from model_server.service.predict import signature_not_found
from model_server.service.service import Service

_LABELS = ("Predict", "GRPC")


@dataclass(frozen=True)
class DirectPredict:
    """Decides by ModelSpec which requests need no Python.

    ``has_limit`` tells of a model whether its requests are counted, ``is_recorded`` whether those
    of any model are. Runs are quick below ``quick`` seconds.
    """

    service: Service
    as_content: bool
    quick: float
    has_limit: Callable[[str], bool]
    is_recorded: Callable[[], bool]
    _counted: dict[Any, tuple[Requests, Runs]] = field(default_factory=dict)

    path = f"/{SERVICE}/Predict"

    def signature(self, model_spec: bytes) -> Any:
        """The ``modelfleet_transport.Signature`` that answers requests with this ModelSpec.

        See Direct. Raises ServingError.
        """
        try:
            spec = spec_of(ModelSpecMessage.FromString(model_spec))
        except DecodeError as error:
            raise ServingError(Code.INVALID_ARGUMENT, str(error)) from error
        name = spec.name
        if spec.label is not None or self.is_recorded() or self.has_limit(name):
            return None
        with self.service.lender.handle(name, spec.version) as handle:
            servable, id = handle.servable, handle.id
            signature = servable.signatures.get(spec.signature)
            direct = getattr(servable, "direct", None)
            if signature is None:
                # Python tells.
                raise signature_not_found(spec.signature)
            if direct is None or signature.name.startswith(PART_PREFIX):
                return None
            self.service.run_predict.check(signature)
            answered = ModelSpecMessage()
            fill(answered, name, id.version, signature.name)
            bounds = (LATENCIES, GRAPH_TIMES)
            written = answered.SerializeToString()
            take = partial(self._take, id, signature)
            terms = Terms(name, written, self.as_content, self.quick, bounds, take)
            found = direct(signature, terms)
        if found is not None:
            # Those of sessions that are closed go, even if nobody ever looks at metrics.
            self.gather()
            metrics = self.service.metrics
            counts = metrics.requests(name, *_LABELS), metrics.runs(name, signature.name, "Predict")
            self._counted.setdefault(found, counts)
        return found

    def at_hand(self, model: str) -> AbstractContextManager[None]:
        """See Direct."""
        return self.service.metrics.requests(model, *_LABELS).at_hand()

    def _take(self, id: ServableId, signature: Signature, held: Any, otherwise: Otherwise) -> None:
        """Has a ``modelfleet_transport.Bundle`` run; what cannot be run is answered otherwise."""
        requests = self.service.metrics.requests(id.name, *_LABELS)
        requests.come(held.number)
        with ExitStack() as until_answered:
            until_answered.callback(requests.go, held.number)
            run = partial(_run, otherwise, held)
            bundle = Bundle(held, held.number, held.rows, held.kind, held.join, run)
            try:
                handle = until_answered.enter_context(
                    self.service.lender.handle(id.name, id.version)
                )
                answer = handle.servable.run_bundle(signature, bundle)  # type: ignore[attr-defined]
            except ServingError as error:
                _refuse(held, error, otherwise)
                return
            ended = until_answered.pop_all()
        answer.add_done_callback(partial(_end, held, otherwise, ended))

    def gather(self) -> None:
        """Counts what was answered since this was called last."""
        for found, (requests, runs) in list(self._counted.items()):
            is_closed = found.is_closed
            at_once, asked, ran, graph_ran = found.take_measured()
            if number := sum(asked[0]):
                requests.add(*asked)
                runs.add(ran, graph_ran)
                self.service.metrics.direct(found.model, number, at_once)
            if is_closed:
                self._counted.pop(found, None)

    def failed(self, code: int, message: str) -> Callable[[bytes, grpc.ServicerContext], bytes]:
        """The handler of a request whose run failed so."""
        error = ServingError(Code(code), without_trace(message))
        handler = counted(
            PredictRequest,
            partial(self._fail, error),
            lambda request: self.service.metrics.requests(request.model_spec.name, *_LABELS),
            lambda *_exchange: None,
        )
        assert handler.unary_unary is not None
        return handler.unary_unary

    def _fail(self, error: ServingError, request: PredictRequest) -> NoReturn:
        spec = spec_of(request.model_spec)
        self.service.metrics.runs(spec.name, spec.signature, "Predict").end(error.code, 0.0)
        raise error


def _run(otherwise: Otherwise, held: Any, size: int) -> Sequence[int]:
    alone: Sequence[int]
    alone, failed, left = held.run(size)
    for call, code, message in failed:
        otherwise.failed(call, code, message)
    for call in left:
        otherwise.by_python(call)
    return alone


def _refuse(held: Any, error: ServingError, otherwise: Otherwise) -> None:
    for call in held.take_calls():
        if error.code is Code.NOT_FOUND:
            # Its version went between the two.
            otherwise.by_python(call)
        else:
            otherwise.failed(call, int(error.code), error.message)


def _end(held: Any, otherwise: Otherwise, ended: ExitStack, answer: Answer[Any]) -> None:
    error = answer.exception()
    if error is not None:
        # It never ran, or not to its end.
        _refuse(held, ServingError.of(error), otherwise)
    ended.close()
