"""Predict as the native transport answers it without Python: for whom, and what is counted."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NoReturn

import grpc
from google.protobuf.message import DecodeError
from tensorflow_serving.apis.model_pb2 import ModelSpec as ModelSpecMessage
from tensorflow_serving.apis.predict_pb2 import PredictRequest

from model_server.api.direct import OtherwiseByType
from model_server.api.direct_bundle import DirectBundle
from model_server.api.grpc.prediction_service import SERVICE
from model_server.api.grpc.unary import counted
from model_server.api.messages.specs import fill, spec_of
from model_server.api.rest import routes
from model_server.core.errors import Code, ServingError
from model_server.core.servable import ServableId
from model_server.servables.direct_terms import Terms
from model_server.servables.saved_model.model import without_trace
from model_server.servables.signature import PART_PREFIX, Signature
from model_server.service.metrics.kinds import LATENCIES
from model_server.service.metrics.requests import GRAPH_TIMES, Requests, Runs
from model_server.service.model_spec import ModelSpec
from model_server.service.predict import signature_not_found
from model_server.service.service import Service

# What requests of each entrypoint are counted as, in the order of ``Signature.take_measured``.
_APIS = {"GRPC": "Predict", "REST": "predict"}


@dataclass(frozen=True)
class DirectPredict:
    """Decides by model, version and signature which requests need no Python; see Direct.

    ``has_limit`` tells of a model whether its requests are counted, ``is_recorded`` whether those
    of any model are. Requests are quick below ``quick`` seconds. See Direct for ``otherwise``.
    """

    service: Service
    as_content: bool
    quick: float
    has_limit: Callable[[str], bool]
    is_recorded: Callable[[], bool]
    otherwise: OtherwiseByType = field(default_factory=OtherwiseByType)
    _counted: dict[Any, tuple[list[Requests], Runs]] = field(default_factory=dict)

    path = f"/{SERVICE}/Predict"

    def of_spec(self, model_spec: bytes) -> Any:
        """See Direct. Raises ServingError."""
        try:
            spec = spec_of(ModelSpecMessage.FromString(model_spec))
        except DecodeError as error:
            raise ServingError(Code.INVALID_ARGUMENT, str(error)) from error
        return self._signature(spec)

    def of_target(self, target: tuple[str, str]) -> Any:
        """See Direct. Raises ServingError."""
        path, signature = target
        route = routes.route("POST", path)
        if route.action != "predict":
            return None
        found = self._signature(route.spec._replace(signature_name=signature))
        return found if found is not None and found.knows_rest else None

    def _signature(self, spec: ModelSpec) -> Any:
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
            requests = [self._requests(name, entrypoint) for entrypoint in _APIS]
            runs = metrics.runs(name, signature.name, "Predict")
            self._counted.setdefault(found, (requests, runs))
        return found

    def _requests(self, model: str, entrypoint: str) -> Requests:
        return self.service.metrics.requests(model, _APIS[entrypoint], entrypoint)

    def at_hand(self, model: str, entrypoint: str) -> AbstractContextManager[None]:
        """See Direct."""
        return self._requests(model, entrypoint).at_hand()

    def _take(self, id: ServableId, signature: Signature, held: Any) -> None:
        """Has a ``modelfleet_transport.Bundle`` run; what cannot be run is answered otherwise."""
        bundle = DirectBundle(held, self.otherwise)
        try:
            bundle.handle = self.service.lender.handle(id.name, id.version)
            bundle.handle.servable.run_bundle(signature, bundle)  # type: ignore[attr-defined]
        except ServingError as error:
            bundle.refuse(error)
        except Exception:
            bundle.fault()

    def gather(self) -> Mapping[str, int]:
        """Counts what was answered since this was called last; what is at hand, by entrypoint."""
        at_hand = dict.fromkeys(_APIS, 0)
        for found, (requests, runs) in list(self._counted.items()):
            is_closed = found.is_closed
            answered, ran, graph_ran = found.take_measured()
            for each, (at_once, latencies) in zip(requests, answered, strict=True):
                if number := sum(latencies[0]):
                    each.add(*latencies)
                    self.service.metrics.direct(found.model, number, at_once)
            if any(ran[0]):
                runs.add(ran, graph_ran)
            for entrypoint, number in zip(_APIS, found.at_hand, strict=True):
                at_hand[entrypoint] += number
            if is_closed:
                self._counted.pop(found, None)
        return at_hand

    def failed(self, code: int, message: str) -> Callable[[bytes, grpc.ServicerContext], bytes]:
        """The handler of a request whose run failed so."""
        error = ServingError(Code(code), without_trace(message))
        handler = counted(
            PredictRequest,
            partial(self._fail, error),
            lambda request: self._requests(request.model_spec.name, "GRPC"),
            lambda *_exchange: None,
        )
        assert handler.unary_unary is not None
        return handler.unary_unary

    def _fail(self, error: ServingError, request: PredictRequest) -> NoReturn:
        spec = spec_of(request.model_spec)
        self._fail_run(spec.name, spec.signature, error)

    def refuse(self, signature: Any, code: int, message: str) -> NoReturn:
        """See Direct. Raises ServingError."""
        error = ServingError(Code(code), without_trace(message))
        with self.service.metrics.request(signature.model, _APIS["REST"], "REST"):
            self._fail_run(signature.model, signature.name, error)

    def _fail_run(self, model: str, signature: str, error: ServingError) -> NoReturn:
        self.service.metrics.runs(model, signature, "Predict").end(error.code, 0.0)
        raise error
