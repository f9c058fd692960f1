"""What --grpc_channel_arguments says to gRPC's core."""

import re

from model_server.options.command_line import InvalidOptions

_INTEGER = re.compile(r"[+-]?[0-9]{1,10}")
_INT32 = range(-(2**31), 2**31)


def channel_arguments_of(text: str) -> tuple[tuple[str, int | str], ...]:
    """The arguments of a comma list ``key=value``: an int32 where it is one, else a string.

    Raises InvalidOptions.
    """
    return tuple(_argument(each) for each in text.split(",") if each)


def _argument(text: str) -> tuple[str, int | str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise InvalidOptions(
            f'--grpc_channel_arguments must be key=value, separated by commas, but has "{text}"'
        )
    if _INTEGER.fullmatch(value) and int(value) in _INT32:
        return key, int(value)
    return key, value
