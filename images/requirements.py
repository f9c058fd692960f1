"""Print what an extra of pyproject.toml asks for, one requirement a line, for pip's -r.

    python3 requirements.py pyproject.toml EXTRA

So that an image installs dependencies in a layer that does not change with the source.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

OWN_EXTRA = re.compile(r"modelfleet\[([a-z-]+)\]")


def requirements(extras: dict[str, list[str]], extra: str) -> list[str]:
    """The requirements of `extra`, and of the extras it includes; raises KeyError."""
    found: list[str] = []
    for line in extras[extra]:
        included = OWN_EXTRA.fullmatch(line)
        found += requirements(extras, included[1]) if included else [line]
    return sorted(set(found))


def main() -> None:
    """Read the file and extra that the command line names."""
    path, extra = sys.argv[1:]
    extras = tomllib.loads(Path(path).read_text())["project"]["optional-dependencies"]
    if extra not in extras:
        sys.exit(f"{path} has no extra {extra!r}; it has: {', '.join(extras)}")
    print("\n".join(requirements(extras, extra)))


if __name__ == "__main__":
    main()
