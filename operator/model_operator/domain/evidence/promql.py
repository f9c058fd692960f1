"""Queries of users in PromQL: what they leave open is filled in, and what comes back."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from model_operator.domain.errors import InvalidSpec

# "${1}" is of PromQL itself: a group of the regular expression of label_replace.
_OPEN = re.compile(r"\$\{(?!\d+\})([^}]*)\}")
# All are names of Kubernetes. In a string of PromQL, or in a regular expression there, none of
# these characters means anything but itself.
_PLAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
KNOWN = ("revision", "stable", "namespace", "name")


@dataclass(frozen=True)
class Subject:
    """What a query is about: the candidate's revision, and the one that it is compared with."""

    namespace: str
    name: str
    revision: str
    stable: str


@dataclass(frozen=True)
class Answer:
    """What came of a query: a finite number, or why there is none."""

    value: float | None
    trouble: str = ""


@dataclass(frozen=True)
class Questions:
    """What is asked for one candidate: queries by name, filled in, for users of a namespace.

    `since` is when what they measure began; answers from before it are worth nothing. Nor are those
    that a bad verdict was made from: `bad_verdicts` counts them.
    """

    namespace: str
    queries: Mapping[str, str]
    since: datetime
    bad_verdicts: int = 0


@dataclass(frozen=True)
class Answers:
    """The answers to all queries, by name, and when they were asked; empty before the first."""

    at: datetime | None = None
    by_name: Mapping[str, Answer] = field(default_factory=dict)


def require_known(field: str, query: str) -> None:
    """Refuse a query that leaves open what nobody can fill in.

    Raises:
        InvalidSpec: with `field`, the path of the query.
    """
    unknown = [name for name in _OPEN.findall(query) if name not in KNOWN]
    if unknown:
        known = ", ".join(f"${{{name}}}" for name in KNOWN)
        raise InvalidSpec(field, f"${{{unknown[0]}}} is not one of {known}")


def filled_in(query: str, subject: Subject) -> str:
    """The query about that subject.

    Raises:
        ValueError: the subject has a name that could be read as PromQL.
    """
    values = {name: getattr(subject, name) for name in KNOWN}
    for value in values.values():
        if not _PLAIN.fullmatch(value):
            raise ValueError(f"{value!r} is no name of Kubernetes")
    return _OPEN.sub(lambda found: values.get(found[1], found[0]), query)
