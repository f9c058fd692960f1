"""Where records end up: collectors by type, found by entry point.

A collector is a class that is made with a Destination and FileLimits, and has the methods of
``Collector``. One thread calls them all.
"""

import json
import struct
from collections.abc import Callable, Collection
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any, Protocol

from google.protobuf import json_format
from google_crc32c import value as crc32c

from model_server.core.errors import Code, ServingError
from model_server.request_logs.files import FileLimits, NumberedFiles
from model_server.request_logs.logging_config import Destination

GROUP = "modelfleet.log_collectors"


@dataclass(frozen=True)
class Record:
    """A request with its answer, a PredictionLog message; ``trace_id`` is "" without a trace."""

    log: Any
    trace_id: str = ""


class Collector(Protocol):
    """Takes records in."""

    def collect(self, record: Record) -> None:
        """Keeps a record. May raise anything: then the record is lost, and that is counted."""

    def close(self) -> None:
        """Keeps what is not kept yet; nothing follows."""


class TfRecords:
    """Files that TensorFlow reads, and that can be replayed as a version's warm-up."""

    def __init__(self, destination: Destination, limits: FileLimits) -> None:
        self._files = NumberedFiles(destination.filename_prefix, ".tfrecord", limits)

    def collect(self, record: Record) -> None:
        """See Collector. Raises OSError."""
        self._files.write(framed(record.log.SerializeToString()))

    def close(self) -> None:
        """See Collector."""
        self._files.close()


class JsonLines:
    """Files with a PredictionLog as JSON in each line, and beside it the ``trace_id``."""

    def __init__(self, destination: Destination, limits: FileLimits) -> None:
        self._files = NumberedFiles(destination.filename_prefix, ".jsonl", limits)

    def collect(self, record: Record) -> None:
        """See Collector. Raises OSError."""
        fields = json_format.MessageToDict(record.log, preserving_proto_field_name=True)
        if record.trace_id:
            fields["trace_id"] = record.trace_id
        self._files.write(json.dumps(fields).encode() + b"\n")

    def close(self) -> None:
        """See Collector."""
        self._files.close()


def framed(record: bytes) -> bytes:
    """A record as it stands in a TFRecord file: length, record, and a checksum after each.

    Source: TensorFlow ``tsl/lib/io/record_writer.h``.
    """
    length = struct.pack("<Q", len(record))
    return length + _masked(length) + record + _masked(record)


def _masked(content: bytes) -> bytes:
    checksum = crc32c(content)
    rotated = (checksum >> 15 | checksum << 17) & 0xFFFFFFFF
    return struct.pack("<I", (rotated + 0xA282EAD8) & 0xFFFFFFFF)


def check_types(types: Collection[str]) -> None:
    """Raises ServingError, NOT_FOUND, unless there is a collector of each type."""
    known = {point.name for point in entry_points(group=GROUP)}
    for type in types:
        if type not in known:
            raise ServingError(
                Code.NOT_FOUND,
                f"Cannot find LogCollector::Factory for type: {type}; this server has:"
                f" {', '.join(sorted(known))}",
            )


def collector(destination: Destination, limits: FileLimits) -> Collector:
    """Makes the collector of a destination whose type was checked. May raise anything."""
    (point, *_) = entry_points(group=GROUP, name=destination.type)
    make: Callable[[Destination, FileLimits], Collector] = point.load()
    return make(destination, limits)
