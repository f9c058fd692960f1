"""How requests are to be merged into batches.

Defaults and checks are those of TensorFlow's SharedBatchScheduler and of TensorFlow Serving's
``servables/tensorflow/bundle_factory_util.cc``.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from model_server.options.checks import MOST_THREADS
from model_server.options.command_line import InvalidOptions
from model_server.options.cpus import CPUS
from model_server.options.messages import BatchingParameters
from model_server.options.priorities import LowPriority, MixedPriority
from model_server.options.text_files import parse_text, read_text_file

PER_MODEL_FILE = "batching_params.pbtxt"
# What TensorFlow Serving calls the threads if there is no file.
_NO_FILE = "model_server_batch_threads"
_LARGEST = 2**31 - 1
_LONGEST = timedelta(days=1) // timedelta(microseconds=1)


@dataclass(frozen=True)
class Batching:
    """The rules of one batch queue; sizes are rows of the first dimension.

    ``threads`` process batches at the same time, for all models; ``timeout`` is how long a batch
    that is not full waits for more; beyond ``max_enqueued`` batches requests are refused.
    A batch is filled up to the next of ``allowed_sizes``, ascending. With ``split_large`` a request
    of more rows than ``max_execution_size`` is run in parts. ``low`` is how requests are batched
    that may be shed; without it as all others.
    """

    max_size: int = 1000
    timeout: timedelta = timedelta(0)
    max_enqueued: int = 10
    # At least two, because one that is busy with a slow model would keep all others waiting.
    threads: int = max(CPUS, 2)
    threads_name: str = "batch_threads"
    allowed_sizes: tuple[int, ...] = ()
    pad_variable_length_inputs: bool = False
    split_large: bool = False
    max_execution_size: int = 1000
    low: LowPriority | None = None


def batching_of_file(path: str) -> Batching:
    """What --batching_parameters_file says; the defaults without one. Raises InvalidOptions."""
    if not path:
        return Batching(threads_name=_NO_FILE)
    message = BatchingParameters()
    read_text_file(path, message)
    return batching_of(message, path)


def batching_of_text(text: str, where: str) -> Batching:
    """What --batching_parameters says, by the rules of a file. Raises InvalidOptions."""
    message = BatchingParameters()
    parse_text(text, message, where)
    return batching_of(message, where)


def has_rules(folder: str) -> bool:
    """Whether the version in this folder says how it is batched."""
    return (Path(folder) / PER_MODEL_FILE).exists()


def batching_of_version(folder: str, common: Batching) -> Batching | None:
    """What the version in this folder says of itself; None, which is no batching, if nothing.

    Threads are those of all models, so they stay as ``common`` has them. Raises InvalidOptions.
    """
    if not has_rules(folder):
        return None
    own = batching_of_file(str(Path(folder) / PER_MODEL_FILE))
    return replace(own, threads=common.threads, threads_name=common.threads_name)


def batching_of(message: Any, where: str) -> Batching:
    """The rules a BatchingParameters message gives. Raises InvalidOptions, naming the field."""
    default = Batching()
    size = _number(message, "max_batch_size", default.max_size, where)
    execution = size
    split = message.enable_large_batch_splitting.value
    if split:
        execution = _number(message, "max_execution_batch_size", size, where)
        if execution > size:
            raise InvalidOptions(
                f"{where}: max_execution_batch_size must be at most max_batch_size;"
                f" was {execution}; expected at most {size}"
            )
    # A wrapper that is not set is 0, which is the default.
    waits = _between(0, _LONGEST, message, "batch_timeout_micros", where)
    return Batching(
        max_size=size,
        timeout=timedelta(microseconds=waits),
        max_enqueued=_number(message, "max_enqueued_batches", default.max_enqueued, where),
        threads=_between(1, MOST_THREADS, message, "num_batch_threads", where)
        if message.HasField("num_batch_threads")
        else default.threads,
        threads_name=message.thread_pool_name.value or default.threads_name,
        allowed_sizes=_allowed_sizes(message, size, where),
        pad_variable_length_inputs=message.pad_variable_length_inputs,
        split_large=split,
        max_execution_size=execution,
        low=_low_priority(message, where),
    )


def _low_priority(message: Any, where: str) -> LowPriority | None:
    others = [
        name
        for name in ("batch_timeout_micros", "max_enqueued_batches", "allowed_batch_sizes")
        if _is_set(message, f"low_priority_{name}")
    ]
    policy = _policy(message, where)
    if not message.HasField("low_priority_max_batch_size"):
        if others or policy is not None:
            raise InvalidOptions(
                f"{where}: low_priority_max_batch_size must be set, because"
                f" {f'low_priority_{others[0]}' if others else 'mixed_priority_batching_policy'} is"
            )
        return None
    default = LowPriority(1)
    size = _between(1, _LARGEST, message, "low_priority_max_batch_size", where)
    waits = _between(0, _LONGEST, message, "low_priority_batch_timeout_micros", where)
    return LowPriority(
        max_size=size,
        timeout=timedelta(microseconds=waits),
        max_enqueued=_number(
            message, "low_priority_max_enqueued_batches", default.max_enqueued, where
        ),
        allowed_sizes=_allowed_sizes(message, size, where, "low_priority_"),
        policy=policy or default.policy,
    )


def _is_set(message: Any, field: str) -> bool:
    return any(descriptor.name == field for descriptor, _ in message.ListFields())


def _policy(message: Any, where: str) -> MixedPriority | None:
    if not message.HasField("mixed_priority_batching_policy"):
        return None
    name = message.mixed_priority_batching_policy.value
    try:
        return MixedPriority(name)
    except ValueError:
        raise InvalidOptions(
            f'{where}: mixed_priority_batching_policy "{name}" is none of'
            f" {', '.join(MixedPriority)}"
        ) from None


def _number(message: Any, field: str, default: int, where: str) -> int:
    return _between(1, _LARGEST, message, field, where) if message.HasField(field) else default


def _between(least: int, most: int, message: Any, field: str, where: str) -> int:
    value: int = getattr(message, field).value
    if value < least:
        kind = "positive" if least else "non-negative"
        raise InvalidOptions(f"{where}: {field} must be {kind}; was {value}")
    if value > most:
        raise InvalidOptions(f"{where}: {field} must be at most {most}; was {value}")
    return value


def _allowed_sizes(message: Any, max_size: int, where: str, prefix: str = "") -> tuple[int, ...]:
    field = f"{prefix}allowed_batch_sizes"
    sizes = tuple(getattr(message, field))
    if not sizes:
        return ()
    if min(sizes) < 1:
        raise InvalidOptions(f"{where}: {field} must be positive; was {min(sizes)}")
    if sizes[-1] != max_size:
        raise InvalidOptions(
            f"{where}: Last entry in {field} must match {prefix}max_batch_size; last entry was"
            f" {sizes[-1]}; expected {max_size}"
        )
    # TensorFlow Serving takes them in any order, but only in order do they make sense.
    return tuple(sorted(set(sizes)))
