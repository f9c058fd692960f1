"""What the exit code of a command means to a pipeline."""

from enum import IntEnum

from kubectl_modelfleet.steering.standing import Outcome


class Exit(IntEnum):
    """ERROR: nothing was done, and stderr says why. The two others are for `--wait` alone."""

    DONE = 0
    ERROR = 1
    NOT_YET = 2
    STALLED = 3


EXIT_OF = {
    Outcome.DONE: Exit.DONE,
    Outcome.UNDER_WAY: Exit.NOT_YET,
    Outcome.STALLED: Exit.STALLED,
}
