"""Which platforms a flag adds to those that are on by themselves."""

import re

from model_server.options.command_line import InvalidOptions
from model_server.options.flags import Options

_ADDED = re.compile(r"\s*(?P<name>[^=\s;]+)(?:=(?P<value>[\w.]+:[\w.]+))?\s*")


def platforms_of(options: Options) -> dict[str, str | None]:
    """The platforms of --servable_platforms, by name: ``module:Class``, or None if installed.

    Raises InvalidOptions.
    """
    added: dict[str, str | None] = {}
    for text in filter(None, options.servable_platforms.split(",")):
        match = _ADDED.fullmatch(text)
        if match is None:
            raise InvalidOptions(
                "--servable_platforms must be NAME or NAME=MODULE:CLASS, separated by commas,"
                f' but has "{text}"'
            )
        added[match["name"]] = match["value"]
    return added
