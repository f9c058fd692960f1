"""What can go wrong, told to the person at the keyboard."""

from collections.abc import Sequence


class ClusterError(Exception):
    """The cluster cannot be had; the message says what failed and what to do."""


class CommandFailed(ClusterError):
    """A command ended with another exit code than 0; the message has what it printed."""

    def __init__(self, command: Sequence[str], code: int, output: str) -> None:
        super().__init__(f"{' '.join(command)}\nended with {code}:\n{output.strip()}")
        self.code = code
        self.output = output
