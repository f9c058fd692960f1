"""What TensorFlow calls the members of a group."""

from dataclasses import dataclass

JOB = "shard"


@dataclass(frozen=True)
class Tasks:
    """The addresses, HOST:PORT, at which TensorFlow's servers of all members listen, in order.

    `member` is the one of this process, from 0; `timeout_seconds` is what a run may take.
    """

    addresses: tuple[str, ...]
    member: int
    timeout_seconds: float


def device_of(member: int) -> str:
    """Where what a member holds lies."""
    return f"/job:{JOB}/replica:0/task:{member}/device:CPU:0"
