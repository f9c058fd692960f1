"""The file format of checkpoint indices: keys in order, each with a value; pure.

It is LevelDB's table without compression, with TensorFlow's names:
``tensorflow/tsl/lib/io/{format,block,table_builder}.cc``.
"""

from collections.abc import Iterator, Mapping

from model_server.servables.sharding.checkpoint.checksums import masked

_MAGIC = 0xDB4775248B80FB57
_FOOTER = 48
# Behind each block: how it is compressed, and the sum of all of it.
_TRAILER = 5
_PLAIN = b"\0"
# As TensorFlow's writer does, so that its reader seeks as fast as in its own files.
_BLOCK_BYTES = 256 << 10
_RESTART_EVERY = 16
_LONGEST_VARINT = 10


class BrokenTable(ValueError):
    """The bytes are no such table, or were damaged."""


def read_table(data: bytes) -> dict[bytes, bytes]:
    """All keys with their values, in the order of the keys.

    Raises:
        BrokenTable: it is none, is cut short, was changed, or is compressed.
    """
    if len(data) < _FOOTER or int.from_bytes(data[-8:], "little") != _MAGIC:
        raise BrokenTable("its end does not say that it is a checkpoint index")
    footer = data[-_FOOTER:]
    _, place = _varint(footer, 0)
    _, place = _varint(footer, place)
    index, _ = _handle(footer, place)
    found: dict[bytes, bytes] = {}
    for _, handle in _entries(_block(data, *index)):
        found.update(_entries(_block(data, *_handle(handle, 0)[0])))
    return found


def table_of(pairs: Mapping[bytes, bytes]) -> bytes:
    """A table with these keys and values."""
    written, index = bytearray(), {}
    block: dict[bytes, bytes] = {}
    size = 0
    for key in sorted(pairs):
        block[key] = pairs[key]
        size += len(key) + len(pairs[key])
        if size >= _BLOCK_BYTES:
            index[key] = _append(written, block)
            block, size = {}, 0
    if block:
        index[max(block)] = _append(written, block)
    handles = _append(written, {}) + _append(written, index)
    return bytes(written) + handles.ljust(_FOOTER - 8, b"\0") + _MAGIC.to_bytes(8, "little")


def _append(written: bytearray, pairs: Mapping[bytes, bytes]) -> bytes:
    """Writes one block; its handle."""
    block = _block_of(pairs)
    handle = _as_varint(len(written)) + _as_varint(len(block))
    written += block + _PLAIN + masked(block + _PLAIN).to_bytes(4, "little")
    return handle


def _block_of(pairs: Mapping[bytes, bytes]) -> bytes:
    block, restarts = bytearray(), [0]
    before = b""
    for number, (key, value) in enumerate(pairs.items()):
        shared = _shared(before, key)
        if number and number % _RESTART_EVERY == 0:
            restarts.append(len(block))
            shared = 0
        block += _as_varint(shared) + _as_varint(len(key) - shared) + _as_varint(len(value))
        block += key[shared:] + value
        before = key
    for number in (*restarts, len(restarts)):
        block += number.to_bytes(4, "little")
    return bytes(block)


def _shared(before: bytes, key: bytes) -> int:
    length = 0
    for one, other in zip(before, key, strict=False):
        if one != other:
            break
        length += 1
    return length


def _block(data: bytes, offset: int, size: int) -> bytes:
    end = offset + size
    if end + _TRAILER > len(data) - _FOOTER:
        raise BrokenTable("it is cut short")
    if data[end : end + 1] != _PLAIN:
        raise BrokenTable("it is compressed, which TensorFlow does not do with checkpoint indices")
    stored = int.from_bytes(data[end + 1 : end + _TRAILER], "little")
    if masked(data[offset : end + 1]) != stored:
        raise BrokenTable(f"the checksum of the block at byte {offset} is another")
    return data[offset:end]


def _entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    restarts = int.from_bytes(block[-4:], "little")
    end, place, key = len(block) - 4 - 4 * restarts, 0, b""
    while place < end:
        shared, place = _varint(block, place)
        rest, place = _varint(block, place)
        length, place = _varint(block, place)
        if place + rest + length > end:
            raise BrokenTable("an entry of it is longer than its block")
        key = key[:shared] + block[place : place + rest]
        place += rest + length
        yield key, block[place - length : place]


def _handle(data: bytes, place: int) -> tuple[tuple[int, int], int]:
    offset, place = _varint(data, place)
    size, place = _varint(data, place)
    return (offset, size), place


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = 0
    for number, byte in enumerate(data[place : place + _LONGEST_VARINT]):
        value |= (byte & 0x7F) << 7 * number
        if byte < 0x80:
            return value, place + number + 1
    raise BrokenTable("a number in it has no end")


def _as_varint(value: int) -> bytes:
    written = bytearray()
    while value >= 0x80:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)
