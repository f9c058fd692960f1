"""Whether the server can answer for every model it was told to serve, and if not, why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from model_server.core.errors import ServingError
from model_server.core.servable import ServableStatus, State
from model_server.core.source import Finding


class Reason(StrEnum):
    """Why a model is ready or not, in one word for programs."""

    AVAILABLE = "Available"
    LOADING = "Loading"
    VERSION_NOT_FOUND = "VersionNotFound"
    BASE_PATH_NOT_FOUND = "BasePathNotFound"
    LOAD_FAILED = "LoadFailed"
    GROUP_NOT_WHOLE = "GroupNotWhole"
    DRAINING = "Draining"


@dataclass(frozen=True)
class ModelSeen:
    """All that readiness depends on for one model.

    ``finding`` is None before the base path was first read; ``named`` are the versions that the
    model's policy names; ``failures`` are the newest errors of versions, even if they are retried.
    ``hindrances`` say of versions that are available why they cannot answer all the same.
    """

    name: str
    base_path: str
    named: frozenset[int]
    finding: Finding | None
    statuses: Sequence[ServableStatus]
    failures: Mapping[int, ServingError]
    hindrances: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelReadiness:
    """Whether one model can be asked, and a sentence for a person."""

    name: str
    ready: bool
    reason: Reason
    message: str


@dataclass(frozen=True)
class Readiness:
    """Ready only if every model is."""

    models: tuple[ModelReadiness, ...]

    @property
    def ready(self) -> bool:
        """Whether traffic may come."""
        return all(model.ready for model in self.models)

    def as_json(self) -> dict[str, Any]:
        """The body of /readyz."""
        models = [
            {
                "name": model.name,
                "ready": model.ready,
                "reason": model.reason.value,
                "message": model.message,
            }
            for model in self.models
        ]
        return {"ready": self.ready, "models": models}


def draining(names: Sequence[str]) -> Readiness:
    """What a server says from the signal to end until it has ended."""
    message = "the server is shutting down and finishes the requests it has"
    return Readiness(tuple(ModelReadiness(name, False, Reason.DRAINING, message) for name in names))


def judge(seen: ModelSeen) -> ModelReadiness:
    """One model's readiness.

    A model is ready when a version is available; where its policy names versions, when all of them
    are, because whoever names a version wants no other.
    """
    available = sorted(s.id.version for s in seen.statuses if s.state is State.AVAILABLE)
    if hindered := seen.hindrances.keys() & set(available):
        version = max(hindered)
        message = f"version {version} waits for its group: {seen.hindrances[version]}"
        return ModelReadiness(seen.name, False, Reason.GROUP_NOT_WHOLE, message)
    if available and seen.named <= set(available):
        return ModelReadiness(
            seen.name, True, Reason.AVAILABLE, f"{_versions(available)} available"
        )
    reason, message = _why_not(seen)
    return ModelReadiness(seen.name, False, reason, message)


def _why_not(seen: ModelSeen) -> tuple[Reason, str]:
    finding = seen.finding
    if finding is None:
        return Reason.LOADING, "the base path has not been read yet"
    if finding.missing_base_path:
        return Reason.BASE_PATH_NOT_FOUND, f"base path {seen.base_path} does not exist"
    if finding.error is not None:
        return Reason.BASE_PATH_NOT_FOUND, finding.error
    missing = sorted(seen.named - finding.found)
    if missing or not finding.aspired:
        return Reason.VERSION_NOT_FOUND, _missing(missing, seen)
    failed = max(finding.aspired & seen.failures.keys(), default=None)
    if failed is not None:
        return Reason.LOAD_FAILED, f"version {failed} failed to load: {seen.failures[failed]}"
    return Reason.LOADING, f"{_versions(sorted(finding.aspired))} loading"


def _missing(missing: Sequence[int], seen: ModelSeen) -> str:
    where = f"under {seen.base_path}"
    found = sorted(seen.finding.found) if seen.finding else []
    if not missing and not found:
        return f"there is no version folder {where}"
    if not missing:
        return f"the version policy names no version; found {_named(found)} {where}"
    held = f"found {_named(found)}" if found else "found no version"
    return f"{_versions(missing)} not {where}; {held}"


def _versions(versions: Sequence[int]) -> str:
    return f"{_named(versions)} {'is' if len(versions) == 1 else 'are'}"


def _named(versions: Sequence[int]) -> str:
    listed = ", ".join(str(version) for version in versions)
    return f"{'version' if len(versions) == 1 else 'versions'} {listed}"
