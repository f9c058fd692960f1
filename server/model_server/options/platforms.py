"""Which platforms a flag adds to those of installed packages."""

import re

from model_server.options.command_line import InvalidOptions
from model_server.options.flags import Options

_ADDED = re.compile(r"\s*(?P<name>[^=\s]+)=(?P<value>[\w.]+:[\w.]+)\s*")


def platforms_of(options: Options) -> dict[str, str]:
    """The platforms of --servable_platforms, name to ``module:Class``. Raises InvalidOptions."""
    added: dict[str, str] = {}
    for text in filter(None, options.servable_platforms.split(",")):
        match = _ADDED.fullmatch(text)
        if match is None:
            raise InvalidOptions(
                f'--servable_platforms must be NAME=MODULE:CLASS,..., but has "{text}"'
            )
        added[match["name"]] = match["value"]
    return added
