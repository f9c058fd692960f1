"""The build script, importable, and a small repository for it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "images"))


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A folder with everything that the server's image is made of."""
    for name in (
        "images/server.Dockerfile",
        "images/requirements.py",
        "images/wheels/README.md",
        "server/transport/src/lib.rs",
        "constraints.txt",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"content of {name}\n")
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    (tmp_path / "LICENSE").write_text("Apache-2.0\n")
    (tmp_path / "server" / "model_server").mkdir()
    (tmp_path / "server" / "model_server" / "server.py").write_text("answer = 42\n")
    return tmp_path
