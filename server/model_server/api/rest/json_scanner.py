"""A JSON scanner that accepts, and complains about, exactly what TensorFlow Serving's does.

That is RapidJSON v1.1.0's iterative parser with ``NaN`` and ``Inf`` allowed, stopping after the
first value: bytes that are no UTF-8, its messages, its offsets. It is slow, so its work is bounded,
and so is the depth; ``json_reader`` comes here only when the fast parser refused a document.
"""

import json
import re
from enum import Enum, auto
from typing import Any

_SPACE = re.compile(rb"[ \n\r\t]*")
_PLAIN = re.compile(rb'[^"\\\x00-\x1f]*')
_DIGITS = re.compile(rb"[0-9]*")
_INTEGER = re.compile(rb"0|[1-9][0-9]*")
_HEX4 = re.compile(rb"[0-9a-fA-F]{4}")
# Numbers that need no look at each: they are finite, and integers among them fit int64.
_NUMBER = rb"-?(?:0|[1-9][0-9]{0,17}+)(?:\.[0-9]{1,30}+)?(?:[eE][+-]?[0-9]{1,2}+)?"
_NUMBERS = re.compile(rb"(?:" + _NUMBER + rb"[ \n\r\t]*+,[ \n\r\t]*+)++")
_ESCAPES = {
    0x22: b'"',
    0x2F: b"/",
    0x5C: b"\\",
    0x62: b"\b",
    0x66: b"\f",
    0x6E: b"\n",
    0x72: b"\r",
    0x74: b"\t",
}
_WORDS = {0x6E: (b"null", None), 0x74: (b"true", True), 0x66: (b"false", False)}
_QUOTE, _COMMA, _COLON = 0x22, 0x2C, 0x3A
_OPEN_LIST, _CLOSE_LIST, _OPEN_OBJECT, _CLOSE_OBJECT = 0x5B, 0x5D, 0x7B, 0x7D
_NO_VALUE = frozenset({_COMMA, _COLON, _CLOSE_LIST, _CLOSE_OBJECT})
_UINT64_MAX, _INT64_MIN = 2**64 - 1, -(2**63)

# No tensor has more than 254 dimensions, and what is printed of a value recurses.
DEEPEST = 500
# A step costs one to three microseconds, in which no other request runs.
MOST_STEPS = 50_000


class JsonError(ValueError):
    """A document that is no JSON: what is wrong, and at which byte."""

    def __init__(self, problem: str, offset: int | None = None) -> None:
        super().__init__(problem if offset is None else f"{problem} at offset: {offset}")


class OutOfSteps(JsonError):
    """A document that the scanner was not allowed to read to its end."""


class _At(Enum):
    """Where in the grammar the scanner stands: after what."""

    START = auto()
    OBJECT_START = auto()
    KEY = auto()
    COLON = auto()
    MEMBER = auto()
    MEMBER_COMMA = auto()
    LIST_START = auto()
    ELEMENT = auto()
    ELEMENT_COMMA = auto()


_MISFITS = {
    _At.START: "The document is empty.",
    _At.OBJECT_START: "Missing a name for object member.",
    _At.KEY: "Missing a colon after a name of object member.",
    _At.COLON: "Invalid value.",
    _At.MEMBER: "Missing a comma or } after an object member.",
    _At.MEMBER_COMMA: "Missing a name for object member.",
    _At.LIST_START: "Invalid value.",
    _At.ELEMENT: "Missing a comma or ] after an array element.",
    _At.ELEMENT_COMMA: "Invalid value.",
}

_TAKES_VALUE = frozenset({_At.START, _At.COLON, _At.LIST_START, _At.ELEMENT_COMMA})
_IN_LIST = frozenset({_At.LIST_START, _At.ELEMENT_COMMA})
_ENDING = b", \n\r\t"
_TAKES_KEY = frozenset({_At.OBJECT_START, _At.MEMBER_COMMA})


def scan(document: bytes, most_steps: int = MOST_STEPS) -> Any:
    """The first JSON value of a document; of an object's equal keys the first one counts.

    Strings are decoded with ``surrogateescape``. A step is a token, or an escape in a string.
    Raises JsonError; OutOfSteps if neither the end nor an error came within ``most_steps``.
    """
    # A NUL ends RapidJSON's stream, and sentinels save a bounds check at every byte.
    return _Scan(document.partition(b"\0")[0] + b"\0", most_steps).document()


class _Scan:
    def __init__(self, text: bytes, steps: int) -> None:
        self._text = text
        self._steps = steps
        self._position = 3 if text.startswith(b"\xef\xbb\xbf") else 0
        self._containers: list[Any] = []
        self._keys: list[str] = []
        self._at = _At.START

    def document(self) -> Any:
        while True:
            self._skip_space()
            self._count_step()
            finished, value = self._step()
            if finished:
                return value

    def _count_step(self) -> None:
        self._steps -= 1
        if self._steps < 0:
            raise OutOfSteps("The document takes too long to read", self._position)

    def _step(self) -> tuple[bool, Any]:
        byte = self._text[self._position]
        if self._at in _TAKES_VALUE:
            if byte == _CLOSE_LIST and self._at is _At.LIST_START:
                return self._close()
            if byte in _NO_VALUE or (byte == 0 and self._at is not _At.START):
                raise self._misfit()
            return self._value(byte)
        if self._at in _TAKES_KEY:
            if byte == _CLOSE_OBJECT and self._at is _At.OBJECT_START:
                return self._close()
            if byte != _QUOTE:
                raise self._misfit()
            self._keys.append(self._string())
            self._at = _At.KEY
            return False, None
        return self._punctuation(byte)

    def _punctuation(self, byte: int) -> tuple[bool, Any]:
        if self._at is _At.KEY and byte == _COLON:
            self._at = _At.COLON
        elif self._at is _At.MEMBER and byte == _COMMA:
            self._at = _At.MEMBER_COMMA
        elif self._at is _At.ELEMENT and byte == _COMMA:
            self._at = _At.ELEMENT_COMMA
        elif byte == (_CLOSE_OBJECT if self._at is _At.MEMBER else _CLOSE_LIST) and (
            self._at is not _At.KEY
        ):
            return self._close()
        else:
            raise self._misfit()
        self._position += 1
        return False, None

    def _value(self, byte: int) -> tuple[bool, Any]:
        if byte in (_OPEN_OBJECT, _OPEN_LIST):
            if len(self._containers) == DEEPEST:
                raise self._error(f"The document is nested deeper than {DEEPEST} levels.")
            self._position += 1
            self._containers.append({} if byte == _OPEN_OBJECT else [])
            self._at = _At.OBJECT_START if byte == _OPEN_OBJECT else _At.LIST_START
            return False, None
        if byte == _QUOTE:
            return self._place(self._string())
        if byte in _WORDS:
            return self._place(self._word(*_WORDS[byte]))
        if self._at in _IN_LIST and (numbers := self._match(_NUMBERS)):
            self._containers[-1].extend(json.loads(b"[" + numbers.rstrip(_ENDING) + b"]"))
            self._at = _At.ELEMENT_COMMA
            return False, None
        return self._place(self._number())

    def _close(self) -> tuple[bool, Any]:
        self._position += 1
        return self._place(self._containers.pop())

    def _place(self, value: Any) -> tuple[bool, Any]:
        if not self._containers:
            return True, value
        container = self._containers[-1]
        if isinstance(container, dict):
            container.setdefault(self._keys.pop(), value)
            self._at = _At.MEMBER
        else:
            container.append(value)
            self._at = _At.ELEMENT
        return False, None

    def _word(self, word: bytes, value: bool | None) -> bool | None:
        for byte in word:
            if self._text[self._position] != byte:
                raise self._error("Invalid value.")
            self._position += 1
        return value

    def _number(self) -> int | float:
        start = self._position
        negative = self._take(b"-")
        if self._text[self._position] in b"NI":
            return self._not_finite(negative)
        if not self._match(_INTEGER):
            raise self._error("Invalid value.")
        whole = True
        if self._take(b"."):
            whole = False
            if not self._match(_DIGITS):
                raise self._error("Miss fraction part in number.")
        if self._take(b"e") or self._take(b"E"):
            whole = False
            if not self._take(b"+"):
                self._take(b"-")
            if not self._match(_DIGITS):
                raise self._error("Miss exponent in number.")
        text = self._text[start : self._position]
        # Longer texts overflow a double; Python would refuse to read them as integers.
        if whole and len(text) <= 320 and _INT64_MIN <= int(text) <= _UINT64_MAX:
            return int(text)
        number = float(text)
        if number in (float("inf"), float("-inf")):
            raise JsonError("Number too big to be stored in double.", start)
        return number

    def _not_finite(self, negative: bool) -> float:
        if self._take(b"N"):
            if self._take(b"a") and self._take(b"N"):
                return float("nan")
        elif self._take(b"I") and self._take(b"n") and self._take(b"f"):
            if self._text[self._position] == 0x69:
                self._word(b"inity", None)
            return float("-inf") if negative else float("inf")
        raise self._error("Invalid value.")

    def _string(self) -> str:
        self._position += 1
        parts: list[bytes] = []
        while True:
            parts.append(self._match(_PLAIN))
            byte = self._text[self._position]
            if byte == _QUOTE:
                self._position += 1
                return b"".join(parts).decode("utf-8", "surrogateescape")
            if byte == 0x5C:
                self._count_step()
                parts.append(self._escape())
            elif byte == 0:
                raise self._error("Missing a closing quotation mark in string.")
            else:
                raise self._error("Invalid escape character in string.")

    def _escape(self) -> bytes:
        start = self._position
        letter = self._text[start + 1]
        self._position += 2
        if letter in _ESCAPES:
            return _ESCAPES[letter]
        if letter != 0x75:
            raise JsonError("Invalid escape character in string.", start)
        code = self._hex4(start)
        if 0xD800 <= code <= 0xDBFF:
            low = self._hex4(start) if self._take(b"\\") and self._take(b"u") else 0
            if not 0xDC00 <= low <= 0xDFFF:
                raise JsonError("The surrogate pair in string is invalid.", start)
            code = ((code - 0xD800) << 10 | (low - 0xDC00)) + 0x10000
        return chr(code).encode("utf-8", "surrogatepass")

    def _hex4(self, start: int) -> int:
        digits = self._match(_HEX4)
        if not digits:
            raise JsonError("Incorrect hex digit after \\u escape in string.", start)
        return int(digits, 16)

    def _take(self, byte: bytes) -> bool:
        if self._text.startswith(byte, self._position):
            self._position += 1
            return True
        return False

    def _match(self, pattern: re.Pattern[bytes]) -> bytes:
        match = pattern.match(self._text, self._position)
        if match is None:
            return b""
        self._position = match.end()
        return match.group()

    def _skip_space(self) -> None:
        self._match(_SPACE)

    def _error(self, problem: str) -> JsonError:
        return JsonError(problem, self._position)

    def _misfit(self) -> JsonError:
        return self._error(_MISFITS[self._at])
