"""How a command line becomes Options, with tensorflow_model_server's forms and messages."""

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass

from model_server.options.flags import Options

_BOOLS = {"true": True, "1": True, "false": False, "0": False}
_INTEGER = re.compile(r"[+-]?[0-9]{1,20}")
_INT_MAX = 2**31 - 1
# The only flag TensorFlow Serving declares as int64, and three of ours.
_INT64_FLAGS = frozenset(
    {
        "load_retry_interval_micros",
        "model_cache_limit_bytes",
        "model_memory_limit_bytes",
        "request_log_file_bytes",
    }
)


class InvalidOptions(ValueError):
    """A command line, or a file it names, that the server cannot start with."""


@dataclass(frozen=True)
class CommandLine:
    """What was typed: the options, and the arguments that are no flag of the server."""

    options: Options
    unknown: tuple[str, ...]


def parse(arguments: Sequence[str]) -> CommandLine:
    """Reads ``--name=value`` flags; a bool is also ``--name`` alone.

    Raises InvalidOptions for a value that does not fit its flag. An argument that is no flag is
    returned in ``unknown``, because TensorFlow Serving starts nevertheless.
    """
    kinds = {flag.name: flag.type for flag in dataclasses.fields(Options)}
    values: dict[str, object] = {}
    unknown: list[str] = []
    for argument in arguments:
        name, equals, text = argument.removeprefix("--").partition("=")
        kind = kinds.get(name)
        if not argument.startswith("--") or kind is None or not (equals or kind is bool):
            unknown.append(argument)
        else:
            values[name] = _value(name, kind, text if equals else "true")
    return CommandLine(Options(**values), tuple(unknown))  # type: ignore[arg-type]  # by _value


def _value(name: str, kind: object, text: str) -> object:
    try:
        if kind is bool:
            return _BOOLS[text.lower()]
        if kind is int:
            return _integer(text, 2**63 - 1 if name in _INT64_FLAGS else _INT_MAX)
        if kind is float:
            return _number(text)
    except (KeyError, ValueError):
        wanted = {bool: "true or false", int: "an integer", float: "a number"}[kind]  # type: ignore[index]  # the three above
        raise InvalidOptions(f'--{name} must be {wanted}, not "{text}"') from None
    return text


def _number(text: str) -> float:
    if "_" in text or not text.isascii():
        # Python would take 1_0 and the digits of other scripts.
        raise ValueError(text)
    return float(text)


def _integer(text: str, largest: int) -> int:
    if not _INTEGER.fullmatch(text):
        # As above.
        raise ValueError(text)
    value = int(text)
    if not -largest - 1 <= value <= largest:
        raise ValueError(text)
    return value


def usage(program: str) -> str:
    """One line for each flag, as TensorFlow's own flag parser prints them."""
    lines = [f"usage: {program}", "Flags:"]
    for flag in dataclasses.fields(Options):
        kind = {bool: "bool", int: "int32", float: "float", str: "string"}[flag.type]  # type: ignore[index]  # annotations are classes
        if flag.name in _INT64_FLAGS:
            kind = "int64"
        shown = f'"{flag.default}"' if flag.type is str else str(flag.default).lower()
        unused = " (accepted, without effect)" if flag.metadata["unused"] else ""
        name = f"--{flag.name}={shown}"
        lines.append(f"\t{name:<50}\t{kind}\t{flag.metadata['doc']}{unused}")
    return "\n".join(lines)


def without_effect(options: Options) -> list[str]:
    """The flags that were set although they can mean nothing here."""
    return [
        flag.name
        for flag in dataclasses.fields(Options)
        if flag.metadata["unused"] and getattr(options, flag.name) != flag.default
    ]
