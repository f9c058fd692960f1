"""Configuration as text: protos in their text format, from files and from flags."""

from pathlib import Path

from google.protobuf import text_format
from google.protobuf.message import Message

from model_server.options.command_line import InvalidOptions


def read_text_file(path: str, message: Message) -> None:
    """Reads a file into an empty message. Raises InvalidOptions, naming the file and the line."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidOptions(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidOptions(f"{path}: not a text file ({error.reason})") from error
    parse_text(text, message, path)


def parse_text(text: str, message: Message, where: str) -> None:
    """Reads a text into an empty message. Raises InvalidOptions."""
    try:
        text_format.Parse(text, message)
    except text_format.ParseError as error:
        name = message.DESCRIPTOR.full_name
        raise InvalidOptions(f"{where}: Error parsing text-format {name}: {error}") from error
