"""CRC-32C as TensorFlow stores it, and the one of a whole from those of its parts; pure.

Stored sums are masked, so that a sum over data that holds sums is still a good one. Source:
``tensorflow/tsl/lib/hash/crc32c.h``.
"""

import google_crc32c

_MASK_DELTA = 0xA282EAD8
_ALL = 0xFFFFFFFF
# Castagnoli's polynomial, lowest bit first.
_POLYNOMIAL = 0x82F63B78

_Matrix = list[int]


def masked(data: bytes) -> int:
    """The sum of some bytes as files hold it."""
    return mask(google_crc32c.value(data))


def mask(crc: int) -> int:
    """A plain sum as files hold it."""
    return ((crc >> 15 | crc << 17) + _MASK_DELTA) & _ALL


def unmask(stored: int) -> int:
    """The plain sum of what a file holds."""
    rotated = (stored - _MASK_DELTA) & _ALL
    return (rotated >> 17 | rotated << 15) & _ALL


def combine(first: int, second: int, second_length: int) -> int:
    """The plain sum of two pieces of data in a row, in time that hardly grows with their length.

    Args:
        first: the sum of the first piece.
        second: that of the piece that follows it.
        second_length: its bytes.
    """
    # A zero byte changes a sum by a linear map over GF(2); n of them do so by its n-th power.
    power = _squared(_squared(_squared(_one_zero_bit())))
    while second_length:
        if second_length & 1:
            first = _applied(power, first)
        power = _squared(power)
        second_length >>= 1
    return first ^ second


def _one_zero_bit() -> _Matrix:
    return [_POLYNOMIAL, *(1 << bit for bit in range(31))]


def _applied(matrix: _Matrix, vector: int) -> int:
    found = 0
    for column in matrix:
        if vector & 1:
            found ^= column
        vector >>= 1
    return found


def _squared(matrix: _Matrix) -> _Matrix:
    return [_applied(matrix, column) for column in matrix]
