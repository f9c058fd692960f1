"""Environments of peers, made when they are first needed and kept."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


class NotInstallable(Exception):
    """Packages that cannot be installed here; its message is the last line pip wrote."""


def environment(folder: Path, needs: Sequence[str]) -> Path:
    """The Python of an environment with these packages. Raises NotInstallable."""
    python = folder / "bin" / "python"
    mark = folder / ".installed"
    if mark.exists() and mark.read_text().split("\n") == list(needs):
        return python
    print(f"  installing {' '.join(needs)} into {folder}", flush=True)
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    done = subprocess.run(
        [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *needs],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise NotInstallable((done.stderr.strip().splitlines() or ["pip failed"])[-1])
    mark.write_text("\n".join(needs))
    return python
