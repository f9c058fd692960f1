"""The tools of the machine, run to their end."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from testcluster.failures import CommandFailed


def run(command: Sequence[str | Path], stdin: str | None = None) -> str:
    """What a command prints. Raises CommandFailed, with its error output, when it fails."""
    words = [str(word) for word in command]
    ended = subprocess.run(words, input=stdin, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        raise CommandFailed(words, ended.returncode, ended.stderr or ended.stdout)
    return ended.stdout
