"""Which requests are recorded, by the configuration of the day."""

import os
import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from model_server.core.errors import Code, ServingError
from model_server.request_logs.collectors import Record, check_types, collector
from model_server.request_logs.files import FileLimits
from model_server.request_logs.logging_config import Destination, LoggingConfig
from model_server.request_logs.writer import Entry, Output, Writer

Count = Callable[[str, Code], None]


@dataclass(frozen=True)
class Sampled:
    """A request that is to be recorded."""

    model: str
    sampling: Any
    output: Output
    writer: Writer
    count: Callable[[Code], None]

    def take(self, size: int, make: Callable[[], Record]) -> None:
        """Has the record made and written later; ``size`` is about what it holds until then."""
        self.writer.put(Entry(self.output, size, make, self.count))


@dataclass
class RequestLogs:
    """The loggers of all models; ``count`` is told of each sampled request what became of it.

    They ``are_on`` while the requests of any model are recorded.
    """

    count: Count
    limits: FileLimits = field(default_factory=FileLimits)
    writer: Writer = field(default_factory=Writer)
    are_on: bool = False
    _configs: Mapping[str, LoggingConfig] = field(default_factory=dict)
    _outputs: Mapping[Destination, Output] = field(default_factory=dict)
    _updating: threading.Lock = field(default_factory=threading.Lock)

    def check(self, configs: Mapping[str, LoggingConfig]) -> None:
        """Raises ServingError for a configuration that cannot be."""
        check_types({config.destination.type for config in configs.values()})
        for name, config in configs.items():
            self._check_prefix(name, config.destination.filename_prefix)

    def _check_prefix(self, model: str, prefix: str) -> None:
        folder = self.limits.folder
        if not folder:
            raise ServingError(
                Code.FAILED_PRECONDITION,
                f"Model {model} asks for its requests to be logged, which is off; to allow that,"
                " start the server with --request_log_folder",
            )
        # Who may reload the configuration must not thereby write files anywhere.
        inside = os.path.normpath(os.path.join(folder, prefix))
        if not inside.startswith(os.path.normpath(folder).rstrip("/") + "/"):
            raise ServingError(
                Code.INVALID_ARGUMENT,
                f'Model {model}: the filename_prefix "{prefix}" of its request log is not below'
                f" {folder}, the folder of --request_log_folder",
            )

    def update(self, configs: Mapping[str, LoggingConfig]) -> None:
        """Records what these say from now on; outputs that stay are not interrupted."""
        with self._updating:
            wanted = {config.destination for config in configs.values()}
            outputs = {
                destination: self._outputs.get(destination) or self._opened(destination)
                for destination in wanted
            }
            ended = [output for to, output in self._outputs.items() if to not in wanted]
            self._outputs, self._configs = outputs, dict(configs)
            self.are_on = bool(configs)
        for output in ended:
            self.writer.end(output)

    def _opened(self, destination: Destination) -> Output:
        prefix = os.path.normpath(os.path.join(self.limits.folder, destination.filename_prefix))
        placed = replace(destination, filename_prefix=prefix)
        return Output(f"{destination.type} {prefix}", collector(placed, self.limits))

    def sample(self, model: str) -> Sampled | None:
        """Decides whether the model's request at hand is recorded; None means no."""
        config = self._configs.get(model)
        if config is None or random.random() >= config.sampling_rate:
            return None
        output = self._outputs.get(config.destination)
        if output is None:
            # An update is between the two.
            return None
        return Sampled(model, config.message, output, self.writer, partial(self.count, model))

    def stop(self, seconds: float) -> None:
        """Writes what is left, for at most so long, and closes all outputs."""
        self.update({})
        self.writer.stop(seconds)
