"""The frames of encapsulated Pixel Data, one at a time, and frames back to items. PS3.5 A.4.

Reading works over any buffer, an mmap of a file of many gigabytes included: a frame is a slice of it, and
only a frame that spans several fragments is copied. Writing gives items for writev, or fills a seekable
file frame by frame and its offset table at the end. What is inside a frame is the codecs' business.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from fastdicom.errors import CodecError
from fastdicom.kernels import encapsulated

if TYPE_CHECKING:
    from typing_extensions import Buffer

ITEM_HEAD = struct.Struct("<HHI")
FRAGMENT_SIZE_MAX = 0xFFFFFFFE  # FFFFFFFFH means undefined, and lengths are even
OFFSET_MAX = 0xFFFFFFFF  # what an entry of the Basic Offset Table holds
SEQUENCE_DELIMITATION_ITEM = ITEM_HEAD.pack(0xFFFE, 0xE0DD, 0)


class Frames:
    """The frames of one encapsulated Pixel Data value: `len()`, iteration and `frames[i]`.

    A frame is a read-only memoryview of the buffer, or bytes if it spans several fragments. Views keep
    the buffer in use: release them before an mmap is closed. Memory stays within 16 bytes a fragment.

    attribution: the rule that told the frames apart, one of "one fragment each", "all fragments",
        "extended offset table", "basic offset table", "codestreams".
    end: the offset behind the value, from the start of the buffer.
    delimited: False if the data ended without a Sequence Delimitation Item.
    """

    def __init__(
        self,
        data: Buffer,
        start: int = 0,
        number_of_frames: int = 1,
        extended: tuple[Buffer, Buffer] | None = None,
    ) -> None:
        """Find the fragments of the value that starts at byte `start` of `data`, and their frames.

        number_of_frames: (0028,0008), 1 where the Data Set has none.
        extended: the values of Extended Offset Table (7FE0,0001) and its Lengths (7FE0,0002).

        Raises MalformedDataset(offset in `data`) if the items break PS3.5 A.4, and CodecError if the
        fragments cannot be told apart as that many frames.
        """
        if number_of_frames < 1:
            raise CodecError(f"Pixel Data of {number_of_frames} frames", start)
        self._data = memoryview(data).cast("B").toreadonly()
        self._fragments = encapsulated.walk(self._data, start)
        self.end = self._fragments.end
        self.delimited = self._fragments.delimited
        self._count = number_of_frames
        self._lengths = memoryview(extended[1]).cast("B") if extended else None
        self.attribution = self._attribute(extended[0] if extended else b"")
        if self.attribution == "":
            raise CodecError(
                f"{len(self._fragments)} fragments cannot be told apart as {number_of_frames} frames", start
            )

    def _attribute(self, extended_table: Buffer) -> str:
        """Try the rules, the surest first, and name the one that holds.

        Nothing contradicts one fragment each or a single frame, so no table is asked then. Tables come
        before a search for codestreams, but only with entries that point at items, and at codestreams
        where the first fragment starts one.
        """
        fragments, count, data = self._fragments, self._count, self._data
        if fragments.assign_one_each(count):
            return "one fragment each"
        if count == 1 and fragments.assign_all():
            return "all fragments"
        if fragments.assign_offsets(data, extended_table, 8, count):
            return "extended offset table"
        table_end = fragments.table_offset + fragments.table_length
        if fragments.assign_offsets(data, data[fragments.table_offset : table_end], 4, count):
            return "basic offset table"
        if any(fragments.assign_codestreams(data, count, ended) for ended in (True, False)):
            return "codestreams"
        return ""

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[memoryview | bytes]:
        return (self[index] for index in range(self._count))

    def __getitem__(self, index: int) -> memoryview | bytes:
        """One frame. Without an Extended Offset Table it includes the byte that padded it, if any."""
        first, stop = self._fragments.frame(index)
        frame: memoryview | bytes
        if stop - first == 1:
            offset, length = self._fragments[first]
            frame = self._data[offset : offset + length]
        else:
            frame = self._fragments.join(self._data, index)
        return frame[: self._true_length(index, len(frame))]

    def _true_length(self, index: int, padded: int) -> int:
        """The frame's length in (7FE0,0002), where it is that of the fragment or one less."""
        if self._lengths is None or len(self._lengths) != 8 * self._count:
            return padded
        length = int.from_bytes(self._lengths[8 * index : 8 * index + 8], "little")
        return length if padded - 1 <= length <= padded else padded


def _item_sizes(lengths: Iterable[int]) -> Iterator[int]:
    """Bytes of each frame's item: head, frame and padding."""
    return (ITEM_HEAD.size + length + length % 2 for length in lengths)


def _item_offsets(lengths: Iterable[int]) -> list[int]:
    """Where each frame's item starts, from the first item after the Basic Offset Table."""
    offsets, offset = [], 0
    for size in _item_sizes(lengths):
        offsets.append(offset)
        offset += size
    return offsets


def basic_offset_table_fits(number_of_frames: int, frame_size_max: int) -> bool:
    """Can a Basic Offset Table point at that many frames of up to `frame_size_max` bytes?

    If not, an Extended Offset Table has to: the table itself must stay in an item, and an offset in 32
    bits. Both are written before the frames, so this is asked before their sizes are known.
    """
    last = (number_of_frames - 1) * (ITEM_HEAD.size + frame_size_max + frame_size_max % 2)
    return last <= OFFSET_MAX and 4 * number_of_frames <= FRAGMENT_SIZE_MAX


def basic_offset_table(lengths: Sequence[int]) -> bytes | None:
    """The Basic Offset Table of frames of these lengths, or None if 32 bits cannot hold it."""
    offsets = _item_offsets(lengths)
    if (offsets and offsets[-1] > OFFSET_MAX) or 4 * len(offsets) > FRAGMENT_SIZE_MAX:
        return None
    return struct.pack(f"<{len(offsets)}I", *offsets)


def extended_offset_table(lengths: Sequence[int]) -> tuple[bytes, bytes]:
    """The values of (7FE0,0001) and (7FE0,0002). The Basic Offset Table is empty beside them."""
    layout = f"<{len(lengths)}Q"
    return struct.pack(layout, *_item_offsets(lengths)), struct.pack(layout, *lengths)


def item_head(length: int) -> bytes:
    """Tag and length of an item that holds `length` bytes and their padding."""
    if length > FRAGMENT_SIZE_MAX:
        raise CodecError(f"a frame of {length} bytes does not fit in a fragment")
    return ITEM_HEAD.pack(0xFFFE, 0xE000, length + length % 2)


def encapsulate(
    frames: Iterable[bytes | bytearray | memoryview], offset_table: bytes = b""
) -> Iterator[bytes | bytearray | memoryview]:
    """The value of Pixel Data as buffers to write one after the other; no frame is copied.

    offset_table: what basic_offset_table() gave, or empty. One fragment a frame, padded to an even length.
    """
    yield item_head(len(offset_table)) + offset_table
    for frame in frames:
        length = memoryview(frame).nbytes
        yield item_head(length)
        yield frame
        if length % 2:
            yield b"\0"
    yield SEQUENCE_DELIMITATION_ITEM


class SeekableFile(Protocol):
    """What FrameWriter needs of a binary file."""

    def write(self, data: Buffer, /) -> object: ...
    def seek(self, offset: int, /) -> object: ...
    def tell(self) -> int: ...


class FrameWriter:
    """Writes Pixel Data to a file one frame at a time, in the memory of one frame.

    The Basic Offset Table is left zero and filled in by finish(). For more than it can point at (see
    basic_offset_table_fits) it is left out, and the caller fills in an Extended Offset Table that it has
    written as zeros before: extended_offset_table(writer.lengths).
    """

    def __init__(self, file: SeekableFile, number_of_frames: int, with_table: bool = True) -> None:
        self.lengths: list[int] = []
        self._file = file
        self._number_of_frames = number_of_frames
        self._with_table = with_table
        table_size = 4 * number_of_frames if with_table else 0
        file.write(item_head(table_size))
        self._table_at = file.tell()
        file.write(bytes(table_size))

    def add(self, frame: Buffer) -> None:
        """Write the next frame as one fragment. CodecError if there are more than were announced."""
        if len(self.lengths) == self._number_of_frames:
            raise CodecError(f"more than the {self._number_of_frames} frames that were announced")
        length = memoryview(frame).nbytes
        self._file.write(item_head(length))
        self._file.write(frame)
        self._file.write(b"\0" * (length % 2))
        self.lengths.append(length)

    def finish(self) -> None:
        """Write the delimiter and the offset table; the file is left at the end of the value.

        Raises CodecError if frames are missing, or if the table cannot hold their offsets.
        """
        if len(self.lengths) != self._number_of_frames:
            raise CodecError(f"{len(self.lengths)} of {self._number_of_frames} frames were written")
        self._file.write(SEQUENCE_DELIMITATION_ITEM)
        if not self._with_table:
            return
        table = basic_offset_table(self.lengths)
        if table is None:
            raise CodecError("the frames are too long for a Basic Offset Table")
        end = self._file.tell()
        self._file.seek(self._table_at)
        self._file.write(table)
        self._file.seek(end)
