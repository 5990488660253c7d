"""Encapsulated Pixel Data put together by hand, right or wrong."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

DELIMITER = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)


def item(value: bytes, length: int | None = None) -> bytes:
    """An item, with another length than its own if asked."""
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(value) if length is None else length) + value


def value_of(fragments: Iterable[bytes], table: bytes = b"", delimiter: bytes = DELIMITER) -> bytes:
    """A whole value: table, fragments, delimiter."""
    return item(table) + b"".join(map(item, fragments)) + delimiter


def table_of(offsets: Iterable[int]) -> bytes:
    """A Basic Offset Table with these entries."""
    return b"".join(struct.pack("<I", offset) for offset in offsets)


def cut(frame: bytes, size: int) -> list[bytes]:
    """A frame in fragments of `size` bytes."""
    return [frame[i : i + size] for i in range(0, len(frame), size)]


def offsets_of(frames: Sequence[Sequence[bytes]]) -> list[int]:
    """Where the first fragment of each frame starts, counted from the first fragment's item."""
    offsets, offset = [], 0
    for fragments in frames:
        offsets.append(offset)
        offset += sum(8 + len(fragment) for fragment in fragments)
    return offsets


def jpeg(size: int, fill: int = 0x11) -> bytes:
    """`size` bytes with the marks of a JPEG codestream at both ends."""
    return b"\xff\xd8\xff\xf7" + bytes([fill]) * (size - 6) + b"\xff\xd9"


def jpeg_2000(size: int, fill: int = 0x22) -> bytes:
    """`size` bytes with the marks of a JPEG 2000 codestream at both ends."""
    return b"\xff\x4f\xff\x51" + bytes([fill]) * (size - 6) + b"\xff\xd9"
