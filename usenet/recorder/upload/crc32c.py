"""CRC-32C, which Google's storage tells of an object: of bytes, and of a whole from those of its parts."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

_POLYNOMIAL = 0x82F63B78


def crc32c(data: bytes) -> int:
    """By the `google-crc32c` package where it is installed; else in Python, some 10 MB a second."""
    try:
        import google_crc32c  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        return _slowly(data)
    return int(google_crc32c.value(data))


def joined(pieces: Iterable[tuple[int, int]]) -> int:
    """The CRC-32C of several pieces one after another, from the (CRC-32C, length) of each."""
    whole = 0
    for crc, length in pieces:
        whole = _multiply(_power(length), whole) ^ crc
    return whole


def _slowly(data: bytes) -> int:
    table, crc = _table(), 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


@lru_cache(1)
def _table() -> list[int]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)  # noqa: PLW2901
        table.append(value)
    return table


def _multiply(left: int, right: int) -> int:
    """Two polynomials modulo that of CRC-32C; bit 31 is the coefficient of 1, as everywhere in a reflected CRC."""
    product = 0
    for bit in range(31, -1, -1):
        if left >> bit & 1:
            product ^= right
        right = right >> 1 ^ (_POLYNOMIAL if right & 1 else 0)
    return product


@lru_cache(64)
def _power(length: int) -> int:
    """x to the power of eight times `length`: what so many bytes of zeros do to a CRC."""
    result, square = 1 << 31, 1 << 23
    while length:
        if length & 1:
            result = _multiply(result, square)
        square = _multiply(square, square)
        length >>= 1
    return result
