"""Headers of requests by which users are told apart, within what a router can match."""

import re
from dataclasses import dataclass
from typing import Any

import re2

from model_operator.domain.errors import InvalidSpec
from model_operator.domain.fields import whole
from model_operator.domain.manifests import Manifest

_NAME = re.compile(r"[a-z0-9][-a-z0-9]{0,63}")
_VALUE = re.compile(r"[ -~]{1,256}")
# Envoy refuses larger programs (its runtime key re2.max_program_size.error_level).
_LARGEST_PROGRAM = 100
_QUIET = re2.Options()
_QUIET.log_errors = False


@dataclass(frozen=True)
class HeaderMatch:
    """A header with exactly this value, or with one that a regular expression matches whole."""

    header: str
    value: str
    is_regex: bool


@dataclass(frozen=True)
class Requests:
    """How requests pass the router.

    Those with the same value in `sticky_header` stay with their revision; empty means that each is
    drawn. `most_concurrent` bounds those that one router has open to a revision; 0 does not.
    """

    sticky_header: str = ""
    timeout_seconds: int = 30
    most_concurrent: int = 0


def parse_requests(traffic: Manifest) -> Requests:
    """The wishes in `spec.traffic`, which may be empty.

    Raises:
        InvalidSpec: with the path of the field.
    """
    path, default = "spec.traffic", Requests()
    sticky = traffic.get("stickyHeader", "")
    seconds = traffic.get("timeoutSeconds", default.timeout_seconds)
    most = traffic.get("maxConcurrentRequests", default.most_concurrent)
    return Requests(
        sticky_header=_name(sticky, f"{path}.stickyHeader") if sticky else "",
        timeout_seconds=whole(seconds, f"{path}.timeoutSeconds", 1, 3600),
        most_concurrent=whole(most, f"{path}.maxConcurrentRequests", 0, 1_000_000),
    )


def parse_match(match: Manifest, path: str) -> HeaderMatch:
    """One of a variant's matches.

    Raises:
        InvalidSpec: with the path of the field, also for an expression that is no RE2, or one
            that is too large for Envoy.
    """
    if ("exact" in match) == ("regex" in match):
        raise InvalidSpec(path, "needs either exact or regex")
    kind = "regex" if "regex" in match else "exact"
    value = match[kind]
    if not isinstance(value, str) or not _VALUE.fullmatch(value):
        raise InvalidSpec(f"{path}.{kind}", "must be 1 to 256 printable ASCII characters")
    if kind == "regex":
        _require_re2(value, f"{path}.{kind}")
    return HeaderMatch(_name(match.get("header"), f"{path}.header"), value, kind == "regex")


def _name(value: Any, path: str) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise InvalidSpec(path, f"{value!r} is no lower-case name of a header")
    return value


def _require_re2(expression: str, path: str) -> None:
    try:
        size = re2.compile(expression, _QUIET).programsize
    except re2.error as error:
        said = error.args[0].decode() if error.args else "it cannot be read"
        raise InvalidSpec(path, f"is no regular expression of RE2: {said}") from error
    if size > _LARGEST_PROGRAM:
        raise InvalidSpec(
            path, f"is too large: its program has {size} steps and may have {_LARGEST_PROGRAM}"
        )
