"""The words of `cluster kubectl` and `cluster helm`: which are ours and which are theirs."""

from collections.abc import Sequence


def split(words: Sequence[str], default: str) -> tuple[str, list[str]]:
    """The cluster's name and the program's own words.

    Ours stand first, `--name NAME`, and an optional `--` ends them; all else is passed on.
    """
    name, rest = default, list(words)
    if rest[:1] == ["--name"] and len(rest) > 1:
        name, rest = rest[1], rest[2:]
    elif rest and rest[0].startswith("--name="):
        name, rest = rest[0].removeprefix("--name="), rest[1:]
    return name, rest[1:] if rest[:1] == ["--"] else rest
