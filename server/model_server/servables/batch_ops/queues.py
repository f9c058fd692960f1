"""The queues of a model's ops that batch: each of its own, with settings that cannot lock up.

TensorFlow finds a queue by its name alone, and runs a batch as the last member says: two functions
that share a queue by accident get each other's answers. The names a model brings mean nothing: the
decorator of TensorFlow gives all of its functions the same.
"""

from dataclasses import dataclass, field
from typing import Any

from model_server.core.errors import Code, ServingError
from model_server.servables.batch_ops.nodes import BATCH_FUNCTION, BATCHING, UNBATCH, all_nodes
from model_server.servables.batch_ops.nodes import value_of as _value
from model_server.servables.batch_ops.reach import in_batches, in_loops, is_in_frame

_ADAPTIVE = "_enable_adaptive_scheduler"


@dataclass(frozen=True)
class Limits:
    """What queues are held to: threads that run batches, and rows that must find a place."""

    threads: int
    rows: int


@dataclass
class _Place:
    function: str
    is_in_loop: bool
    is_in_batch: bool
    changes: list[str] = field(default_factory=list)


def mend_queues(graph: Any, owner: str, limits: Limits) -> list[str]:
    """Names the queues of a GraphDef after their places in ``owner``, and corrects settings.

    Returns what was corrected, in words. Raises ServingError, INVALID_ARGUMENT, naming the node
    and the attribute, for settings TensorFlow would refuse with the first request.
    """
    loops, batches = in_loops(graph), in_batches(graph)
    changes: list[str] = []
    for function, node in all_nodes(graph):
        if node.op not in BATCHING:
            continue
        node.attr["shared_name"].s = f"{owner}/{function}/{node.name}".encode()
        node.attr["container"].s = b""
        if node.op == UNBATCH:
            continue
        node.attr["batching_queue"].s = b""
        is_in_loop = function in loops or (not function and is_in_frame(graph, node.name))
        _check(node, function)
        place = _Place(function, is_in_loop, function in batches)
        _mend(node, place, limits)
        changes += place.changes
    return changes


def _check(node: Any, function: str) -> None:
    for name in ("max_batch_size", "max_enqueued_batches"):
        if _integer(node, name) < 1:
            raise _refusal(node, function, f"{name} must be positive; was {_integer(node, name)}")
    if _integer(node, "batch_timeout_micros") < 0:
        was = _integer(node, "batch_timeout_micros")
        raise _refusal(node, function, f"batch_timeout_micros must not be negative; was {was}")
    sizes = list(_value(node, "allowed_batch_sizes").list.i)
    if any(later <= earlier for earlier, later in zip([0, *sizes], sizes, strict=False)):
        raise _refusal(node, function, f"allowed_batch_sizes must increase; was {sizes}")
    splitting = _value(node, "enable_large_batch_splitting") if node.op == BATCH_FUNCTION else None
    largest = _integer(node, "max_batch_size")
    if sizes and sizes[-1] != largest and not (splitting is not None and splitting.b):
        raise _refusal(
            node,
            function,
            f"the last of allowed_batch_sizes must be max_batch_size, {largest}; was {sizes}",
        )


def _mend(node: Any, place: _Place, limits: Limits) -> None:
    threads = _integer(node, "num_batch_threads")
    adaptive = _ADAPTIVE in node.attr and node.attr[_ADAPTIVE].b
    if (threads < 1 or adaptive) and place.is_in_batch:
        # All adaptive queues of a process share some threads: the outer batches would hold them.
        if adaptive:
            del node.attr[_ADAPTIVE]
        _set(node, "num_batch_threads", limits.threads, place, "a batch within a batch")
    elif threads > limits.threads and not adaptive:
        # Each would take what has come so far, and batches stay small.
        _set(node, "num_batch_threads", limits.threads, place, "more threads than processors")
    if not place.is_in_loop:
        return
    if _integer(node, "batch_timeout_micros"):
        # A batch waits at least a millisecond if it waits at all, in each turn of the loop.
        _set(node, "batch_timeout_micros", 0, place, "waits in every turn of a loop")
    batches = -(-limits.rows // _integer(node, "max_batch_size"))
    if _integer(node, "max_enqueued_batches") < batches:
        # Else a request could be refused in the middle of its loop.
        _set(node, "max_enqueued_batches", batches, place, "may be full within a loop")


def _set(node: Any, name: str, value: int, place: _Place, why: str) -> None:
    place.changes.append(
        f"{name} of {_named(node, place.function)} is {value} and not {_integer(node, name)}: {why}"
    )
    node.attr[name].i = value


def _integer(node: Any, name: str) -> int:
    value = _value(node, name)
    return 0 if value is None else int(value.i)


def _named(node: Any, function: str) -> str:
    return f"{node.op} {node.name}" + (f" in function {function}" if function else "")


def _refusal(node: Any, function: str, what: str) -> ServingError:
    return ServingError(Code.INVALID_ARGUMENT, f"{_named(node, function)}: {what}")
