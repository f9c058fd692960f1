"""Reads version numbers out of the names in a base path."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_LARGEST = 2**63 - 1
_DIGITS = len(str(_LARGEST))


@dataclass(frozen=True, slots=True)
class VersionFolders:
    """The folder of each version, and sentences about names that were left out."""

    folders: Mapping[int, str]
    warnings: tuple[str, ...] = ()


def version_folders(children: Iterable[str]) -> VersionFolders:
    """Index the names by version; what is no number in ASCII digits is no version.

    001 and 1 are one version; the name that sorts last is taken, as TensorFlow Serving does.
    """
    folders: dict[int, str] = {}
    warnings: list[str] = []
    for child in sorted({name.split("/", 1)[0] for name in children}):
        if not (child.isascii() and child.isdigit()):
            continue
        version = _version(child)
        if version is None:
            warnings.append(f"Ignoring folder {child}: versions go up to {_LARGEST}")
            continue
        if version in folders:
            warnings.append(
                f"Duplicate version directories detected. Version {version} will be loaded from "
                f"{child}, {folders[version]} will be ignored."
            )
        folders[version] = child
    return VersionFolders(folders, tuple(warnings))


def _version(digits: str) -> int | None:
    # Counted first: int() refuses thousands of digits, which an object store may well hold.
    significant = digits.lstrip("0")
    if len(significant) > _DIGITS:
        return None
    version = int(digits[-_DIGITS:])
    return version if version <= _LARGEST else None
