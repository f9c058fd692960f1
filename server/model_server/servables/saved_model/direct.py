"""A SavedModel's session as the extension modelfleet-transport runs it, without Python."""

import builtins
import logging
import re
import threading
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import tensorflow as tf

from model_server.servables.direct_terms import Terms
from model_server.servables.signature import Signature, TensorSpec

_log = logging.getLogger(__name__)

# Bytes. What runs a graph keeps its constants, and here they are kept once more.
_LARGEST_GRAPH = 2**24
# In the names that pybind11 gives to what the modules of one build share.
_BUILD = re.compile("__pybind11_internals_v[0-9]+(.*)__")
# In the names of operations that may wait for something else than their inputs.
_WAITS = re.compile("Barrier|Dequeue|Enqueue|Iterator|PyFunc|Reader|Recv|Rpc|Stage")


class DirectSession:
    """The signatures of a session, which the native transport can run; thread-safe.

    There is none where the extension is not installed, or does not fit this TensorFlow.
    """

    def __init__(self, session: Any, graph: Any) -> None:
        """``session`` is a tf.compat.v1.Session of this GraphDef."""
        self._session = session
        self._can_run = graph.ByteSize() <= _LARGEST_GRAPH and not _may_wait(graph)
        self._lock = threading.Lock()
        self._native: Any = None
        self._signatures: dict[str, Any] = {}

    def signature(self, signature: Signature, terms: Terms) -> Any:
        """The ``modelfleet_transport.Signature`` of this one; None if there can be none."""
        with self._lock:
            if signature.name not in self._signatures:
                self._signatures[signature.name] = self._made(signature, terms)
            return self._signatures[signature.name]

    def _made(self, signature: Signature, terms: Terms) -> Any:
        fed, fetched = signature.inputs.values(), signature.outputs.values()
        if not self._can_run or _repeats(fed) or _repeats(fetched):
            return None
        try:
            from modelfleet_transport import Session, Signature

            if self._native is None:
                self._native = Session(self._session, _libraries(), _builds())
            return Signature(
                self._native,
                terms.model,
                signature.name,
                self._places(signature.inputs),
                self._places(signature.outputs),
                model_spec=terms.model_spec,
                as_content=terms.as_content,
                quick=terms.quick,
                bounds=terms.bounds,
                batching=_batching(terms),
            )
        except (ImportError, AttributeError, TypeError, KeyError, ValueError) as error:
            # Python answers all the same, or tells that the graph has no such tensor.
            _log.debug("signature %s is not run directly: %s", signature.name, error)
            return None

    def _places(self, specs: Mapping[str, TensorSpec]) -> list[tuple[str, Any, int, int]]:
        places = []
        for alias, spec in specs.items():
            tensor = self._session.graph.get_tensor_by_name(spec.name)
            places.append((alias, tensor.op._c_op, tensor.value_index, spec.dtype.number))
        return places

    def close(self) -> None:
        """Waits for what runs; nothing does from now on."""
        with self._lock:
            native, self._native = self._native, None
            self._signatures = {}
            # Its memory must be free when the unload is over, even if this lives on.
            self._session = None
        if native is not None:
            native.close()


def _batching(terms: Terms) -> tuple[int, Any, Any] | None:
    bundles = terms.bundles
    return None if bundles is None else (bundles.most_rows, terms.take, bundles.bell)


def _may_wait(graph: Any) -> bool:
    """Whether a run may take any time, for reasons that are not in its inputs."""
    nodes = [graph.node, *(function.node_def for function in graph.library.function)]
    return any(_WAITS.search(node.op) for each in nodes for node in each)


def _repeats(specs: Any) -> bool:
    return any(count > 1 for count in Counter(spec.name for spec in specs).values())


@lru_cache
def _libraries() -> list[str]:
    """The shared libraries of TensorFlow that have its C API."""
    folder = Path(tf.__file__).parent
    return [str(path) for path in sorted(folder.glob("libtensorflow_*.so.*"))]


@lru_cache
def _builds() -> list[bytes]:
    """The builds of pybind11 whose modules are loaded, TensorFlow's among them."""
    found = map(_BUILD.fullmatch, dir(builtins))
    return [match[1].encode() for match in found if match]
