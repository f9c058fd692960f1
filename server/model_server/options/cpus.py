"""How many CPUs this process may use: those it is scheduled on, within its container's limit.

A container with a limit sees all CPUs of its node; as many threads as those would spend its time
within the first milliseconds of each period, and wait for the rest of it.
Source: the kernel's documentation, admin-guide/cgroup-v2 (cpu.max) and scheduler/sched-bwc.
"""

import math
import os
from pathlib import Path


def limit_of(groups: Path) -> int | None:
    """The limit, in whole CPUs rounded up, of the control group mounted here; None without one."""
    for quota, period in (_read(groups / "cpu.max"), _read_pair(groups / "cpu")):
        # "max" and -1 both mean that there is no limit.
        if quota.isdigit() and period.isdigit() and int(quota) and int(period):
            return math.ceil(int(quota) / int(period))
    return None


def _read(file: Path) -> tuple[str, str]:
    quota, _, period = _text(file).partition(" ")
    return quota, period


def _read_pair(folder: Path) -> tuple[str, str]:
    return _text(folder / "cpu.cfs_quota_us"), _text(folder / "cpu.cfs_period_us")


def _text(file: Path) -> str:
    try:
        return file.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""


# What TensorFlow Serving calls the number of schedulable CPUs.
_SCHEDULABLE = len(os.sched_getaffinity(0))
# A container has its own group at the root of what it sees.
_LIMIT = limit_of(Path("/sys/fs/cgroup"))
CPUS = min(_SCHEDULABLE, _LIMIT or _SCHEDULABLE)
# None where all schedulable CPUs may be used, which libraries assume by themselves.
CPU_LIMIT = CPUS if CPUS < _SCHEDULABLE else None
