"""Configuration as text: protos in their text format, from files and from flags."""

from typing import Any

from google.protobuf import text_format
from google.protobuf.message import Message

from model_server.options.command_line import InvalidOptions

# Far beyond any configuration; a wrong path such as /dev/zero must not fill the memory.
_LARGEST = 16 * 2**20
_LONGEST_TOLD = 1000


def read_text_file(path: str, message: Message, pool: Any = None) -> None:
    """Reads a file into an empty message. Raises InvalidOptions, naming the file and the line.

    ``pool`` resolves the type of an Any; without one, the default pool.
    """
    parse_text(_text_of(path), message, path, pool)


def read_secret_file(path: str, message: Message) -> None:
    """As ``read_text_file``, but what is wrong is told without a word of the file's text."""
    text = _text_of(path)
    try:
        text_format.Parse(text, message)
    except (text_format.ParseError, RecursionError) as error:
        line = getattr(error, "GetLine", lambda: None)()
        where = f", at line {line}" if line is not None else ""
        name = message.DESCRIPTOR.full_name
        # Without a cause: a traceback would show the line.
        raise InvalidOptions(f"{path}: Error parsing text-format {name}{where}") from None


def parse_text(text: str, message: Message, where: str, pool: Any = None) -> None:
    """Reads a text into an empty message. Raises InvalidOptions."""
    name = message.DESCRIPTOR.full_name
    try:
        text_format.Parse(text, message, descriptor_pool=pool)
    except text_format.ParseError as error:
        problem = str(error)
        if len(problem) > _LONGEST_TOLD:
            # It quotes the line.
            problem = f"{problem[:_LONGEST_TOLD]}..."
        raise InvalidOptions(f"{where}: Error parsing text-format {name}: {problem}") from error
    except RecursionError:
        raise InvalidOptions(
            f"{where}: Error parsing text-format {name}: messages are nested too deeply"
        ) from None


def _text_of(path: str) -> str:
    try:
        with open(path, "rb") as file:
            content = file.read(_LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InvalidOptions(f"{path}: {reason}") from error
    if len(content) > _LARGEST:
        raise InvalidOptions(f"{path}: larger than {_LARGEST} bytes, which no configuration is")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise InvalidOptions(
            f"{path}: not a text file (byte {error.start}: {error.reason})"
        ) from error
