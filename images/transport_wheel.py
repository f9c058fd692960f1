"""The wheel of modelfleet-transport, built outside the image: Debian's Rust is too old for it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NEEDED_RUST = (1, 85)


def rust_path(environment: dict[str, str]) -> str | None:
    """A PATH on which there is a Rust that is new enough, None if there is none here."""
    path = os.pathsep.join([environment.get("PATH", ""), str(Path.home() / ".cargo" / "bin")])
    compiler = shutil.which("rustc", path=path)
    if compiler is None:
        return None
    told = subprocess.run([compiler, "--version"], capture_output=True, text=True)
    return path if is_new_enough(told.stdout) else None


def is_new_enough(version: str) -> bool:
    """Whether it is, by what "rustc --version" prints: "rustc 1.85.0 (hash date)"."""
    words = version.split()
    numbers = words[1].split(".")[:2] if len(words) > 1 else []
    return all(number.isdigit() for number in numbers) and tuple(map(int, numbers)) >= NEEDED_RUST


def build_wheel(source: Path, folder: Path, path: str) -> None:
    """Puts the wheel of ``source`` into the folder. Raises CalledProcessError, after cargo's words.

    It needs no newer glibc than this machine's, as its name says; pip refuses it elsewhere.
    """
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    environment = {
        **os.environ,
        "PATH": path,
        # What it is made of is compiled once for all checkouts.
        "CARGO_TARGET_DIR": os.environ.get("CARGO_TARGET_DIR") or f"{cache}/modelfleet/cargo",
    }
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--disable-pip-version-check"]
    subprocess.run(
        [*command, "--no-deps", "-w", str(folder), str(source)],
        env=environment,
        stdout=sys.stderr,
        check=True,
    )
