"""How many requests of one model may be at hand, as a flag says."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from model_server.options.command_line import InvalidOptions

_FLAG = "--max_in_flight_requests_per_model"
_PART = re.compile(r"\s*(?:(?P<name>[^=\s]+)=)?(?P<most>\d+)\s*")
_LARGEST = 2**31 - 1


@dataclass(frozen=True)
class ModelLimits:
    """The most requests of models named, and of each other one; 0 is any number."""

    common: int = 0
    named: Mapping[str, int] = field(default_factory=dict)

    def of(self, model: str) -> int:
        """The most requests of this model."""
        return self.named.get(model, self.common)


def model_limits_of(text: str) -> ModelLimits:
    """What --max_in_flight_requests_per_model says. Raises InvalidOptions."""
    common: int | None = None
    named: dict[str, int] = {}
    for part in filter(None, text.split(",")):
        match = _PART.fullmatch(part)
        if match is None or int(match["most"]) > _LARGEST:
            raise InvalidOptions(
                f"{_FLAG} must be a number for each model or NAME=NUMBER for one, separated by"
                f' commas, but has "{part}"'
            )
        name, most = match["name"], int(match["most"])
        if (name in named) if name else (common is not None):
            raise InvalidOptions(f'{_FLAG} has two numbers for {name or "each model"}: "{text}"')
        if name:
            named[name] = most
        else:
            common = most
    return ModelLimits(common or 0, named)
