"""Which model a request is for, read off its bytes before it is parsed.

A request waits for its turn as it came, because parsed it takes more memory; and whose turn it is
depends on the model. Source: protobuf's wire format, and the field numbers of ``apis/*.proto``,
by which a name is field 1 of field 1, and of the tasks of a MultiInferenceRequest.
"""

from functools import lru_cache

from model_server.servables.signature import PART_PREFIX

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED = {_FIXED64: 8, _FIXED32: 4}
# Its tag and kind in one byte.
_FIELD_1 = 1 << 3 | _BYTES
_SIGNATURE = 3
_OF_MEMBERS = PART_PREFIX.encode()
_DEPTHS = {"Predict": 2, "Classify": 2, "Regress": 2, "MultiInference": 3}


def model_of(path: str, message: bytes) -> str:
    """The model that a call of this method runs; "" if it runs none, or is no message.

    What members of a group ask each other counts as of another model, whose name has their prefix:
    requests that wait for such answers must not keep these from running.
    """
    depth = _depth(path)
    if depth is None:
        return ""
    try:
        if depth == 2 and (spec := _first_if_only(message)) is not None:
            return _name(spec)
        for _ in range(depth - 1):
            # A message that comes in pieces is all of them, one after the other.
            message = b"".join(_fields(1, message))
        return _name(message)
    except (IndexError, ValueError):
        return ""


@lru_cache(maxsize=64)
def _depth(path: str) -> int | None:
    return _DEPTHS.get(path.rpartition("/")[2])


# Small, and the same for most requests.
@lru_cache(maxsize=1024)
def _name(spec: bytes) -> str:
    name = str([b"", *_fields(1, spec)][-1], "utf-8")
    is_of_member = any(each.startswith(_OF_MEMBERS) for each in _fields(_SIGNATURE, spec))
    return PART_PREFIX + name if is_of_member else name


def _first_if_only(message: bytes) -> bytes | None:
    """A short field 1 at the beginning, where clients put it, if nothing but other fields follows.

    None if it has to be looked for, as ``_fields`` does.
    """
    if message[0] != _FIELD_1 or message[1] >= 0x80:
        return None
    end = at = 2 + message[1]
    size = len(message)
    while at < size:
        tag = message[at]
        if tag & 7 != _BYTES or not _FIELD_1 < tag < 0x80:
            return None
        at += 1
        byte = message[at]
        length, shift = byte & 0x7F, 7
        while byte >= 0x80 and shift < 64:
            at += 1
            byte = message[at]
            length |= (byte & 0x7F) << shift
            shift += 7
        at += 1 + length
    return message[2:end] if at == size else None


def _fields(number: int, message: bytes) -> list[bytes]:
    """What each field of this number holds, in their order."""
    found = []
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == _BYTES:
            size, at = _varint(message, at)
            if size > len(message) - at:
                raise ValueError("a field that is cut off")
            if tag >> 3 == number:
                found.append(message[at : at + size])
            at += size
        elif kind == _VARINT:
            _, at = _varint(message, at)
        else:
            at += _FIXED[kind] if kind in _FIXED else len(message)
    return found


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a number that does not end")
