"""Ogg pages with a stream number of our choice: encoders draw it at random, and then no two files are the same.

Source: RFC 3533, section 6.
"""

import struct
from functools import cache

_HEADER = struct.Struct("<4sBBqIIIB")  # magic, version, type, position, serial, page, checksum, number of segments
_SERIAL_AT, _CHECKSUM_AT = 14, 22
_POLYNOMIAL = 0x04C11DB7


def with_serial(content: bytes, serial: int) -> bytes:
    """The same Ogg file with `serial` on every page, and checksums that fit.

    Raises:
        ValueError: if the content is not made of whole Ogg pages.
    """
    pages = []
    place = 0
    while place < len(content):
        end = _page_end(content, place)
        page = bytearray(content[place:end])
        page[_SERIAL_AT : _SERIAL_AT + 4] = struct.pack("<I", serial)
        page[_CHECKSUM_AT : _CHECKSUM_AT + 4] = bytes(4)
        page[_CHECKSUM_AT : _CHECKSUM_AT + 4] = struct.pack("<I", page_checksum(page))
        pages.append(bytes(page))
        place = end
    return b"".join(pages)


def _page_end(content: bytes, place: int) -> int:
    table = place + _HEADER.size
    if content[place : place + 4] != b"OggS" or table > len(content):
        raise ValueError(f"No Ogg page begins at byte {place}; give the content of a whole Ogg file.")
    n_segments = content[table - 1]
    end = table + n_segments + sum(content[table : table + n_segments])
    if end > len(content):
        raise ValueError(f"The Ogg page at byte {place} ends after the file; give the content of a whole Ogg file.")
    return end


def page_checksum(page: bytes | bytearray) -> int:
    """CRC-32 of a page whose checksum field is zero, most significant bit first and not inverted."""
    checksum = 0
    steps = _steps()
    for byte in page:
        checksum = (checksum << 8 & 0xFFFFFFFF) ^ steps[checksum >> 24 ^ byte]
    return checksum


@cache
def _steps() -> tuple[int, ...]:
    return tuple(_step(byte << 24) for byte in range(256))


def _step(value: int) -> int:
    for _ in range(8):
        value = (value << 1 & 0xFFFFFFFF) ^ (_POLYNOMIAL if value & 0x80000000 else 0)
    return value
