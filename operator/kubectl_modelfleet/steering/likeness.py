"""What somebody may have meant by a name that is not there."""

import difflib
from collections.abc import Iterable


def near(name: str, names: Iterable[str]) -> str:
    """`did you mean a, b?`; empty where nothing is alike."""
    found = difflib.get_close_matches(name, list(names), n=3)
    return f"did you mean {', '.join(found)}?" if found else ""
