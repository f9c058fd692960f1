"""What a model's ``logging_config`` asks for.

Source: TensorFlow Serving ``config/logging_config.proto`` and ``core/request_logger.cc``.
"""

from dataclasses import dataclass, field
from typing import Any

from model_server.core.errors import Code, ServingError


@dataclass(frozen=True)
class Destination:
    """Where records go: a kind of collector, and what it writes to. Equal ones are one."""

    type: str
    filename_prefix: str


@dataclass(frozen=True)
class LoggingConfig:
    """How much of a model's traffic is recorded, and where; ``message`` is its SamplingConfig."""

    destination: Destination
    sampling_rate: float
    message: Any = field(default=None, compare=False)


def logging_of(model: Any) -> LoggingConfig | None:
    """The logging that a ModelConfig message asks for, None if for none.

    A rate for a data centre or task (``per_task_sampling_configs``) is never that of this server,
    which knows neither. Raises ServingError, INVALID_ARGUMENT.
    """
    if not model.HasField("logging_config"):
        return None
    config = model.logging_config
    rate = config.sampling_config.sampling_rate
    if not 0 <= rate <= 1:
        raise ServingError(
            Code.INVALID_ARGUMENT,
            f"Model {model.name}: sampling_rate must be from 0 to 1, not {rate}",
        )
    if not rate:
        return None
    collector = config.log_collector_config
    destination = Destination(collector.type, collector.filename_prefix)
    return LoggingConfig(destination, rate, config.sampling_config)
