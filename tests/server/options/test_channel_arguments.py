"""--grpc_channel_arguments: numbers where TensorFlow Serving takes them for such."""

import pytest

from model_server.options.channel_arguments import channel_arguments_of
from model_server.options.command_line import InvalidOptions


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("", ()),
        ("grpc.max_connection_age_ms=2000", (("grpc.max_connection_age_ms", 2000),)),
        ("a=-1,b=text,c=", (("a", -1), ("b", "text"), ("c", ""))),
        ("a=1=2", (("a", "1=2"),)),
        ("a=2147483647,b=2147483648", (("a", 2147483647), ("b", "2147483648"))),
        ("a=-2147483648,b=--5,c=1_0", (("a", -2147483648), ("b", "--5"), ("c", "1_0"))),
        ("a=1,,b=2,", (("a", 1), ("b", 2))),
    ],
)
def test_a_comma_list_becomes_arguments(text, arguments):
    assert channel_arguments_of(text) == arguments


@pytest.mark.parametrize("text", ["a", "=1", "a=1,b"])
def test_what_is_no_argument_is_told(text):
    wrong = text.rpartition(",")[2]

    with pytest.raises(InvalidOptions) as raised:
        channel_arguments_of(text)

    assert str(raised.value) == (
        f'--grpc_channel_arguments must be key=value, separated by commas, but has "{wrong}"'
    )
