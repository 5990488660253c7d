"""The elements of a Data Set that a conversion of its pixels reads or changes: where they are, what they say.

One walk over the whole Data Set (the recode kernel) checks it and finds them; values stay where they are.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

from fastdicom.dataset.scanned import byte_coding
from fastdicom.errors import MalformedDataset
from fastdicom.kernels.recode import Recoder
from fastdicom.standard.transfer_syntaxes import KNOWN

Buffer = bytes | bytearray | memoryview

IMAGE_TYPE: Final = 0x00080008
SOP_CLASS_UID: Final = 0x00080016
SOP_INSTANCE_UID: Final = 0x00080018
DERIVATION_DESCRIPTION: Final = 0x00082111
SOURCE_IMAGE_SEQUENCE: Final = 0x00082112
DERIVATION_CODE_SEQUENCE: Final = 0x00089215
SAMPLES_PER_PIXEL: Final = 0x00280002
PHOTOMETRIC_INTERPRETATION: Final = 0x00280004
PLANAR_CONFIGURATION: Final = 0x00280006
NUMBER_OF_FRAMES: Final = 0x00280008
ROWS: Final = 0x00280010
COLUMNS: Final = 0x00280011
BITS_ALLOCATED: Final = 0x00280100
BITS_STORED: Final = 0x00280101
HIGH_BIT: Final = 0x00280102
PIXEL_REPRESENTATION: Final = 0x00280103
LOSSY_IMAGE_COMPRESSION: Final = 0x00282110
LOSSY_IMAGE_COMPRESSION_RATIO: Final = 0x00282112
LOSSY_IMAGE_COMPRESSION_METHOD: Final = 0x00282114
ICON_IMAGE_SEQUENCE: Final = 0x00880200
EXTENDED_OFFSET_TABLE: Final = 0x7FE00001
EXTENDED_OFFSET_TABLE_LENGTHS: Final = 0x7FE00002
ENCAPSULATED_VALUE_LENGTH: Final = 0x7FE00003
FLOAT_PIXEL_DATA: Final = 0x7FE00008
DOUBLE_FLOAT_PIXEL_DATA: Final = 0x7FE00009
PIXEL_DATA: Final = 0x7FE00010

GROUP_LENGTHS: Final = (0x00080000, 0x00280000, 0x00880000, 0x7FE00000)
"""Of the groups that change: retired, and wrong after a change. PS3.5 7.2."""

WANTED: Final = frozenset(
    (
        IMAGE_TYPE,
        SOP_CLASS_UID,
        SOP_INSTANCE_UID,
        DERIVATION_DESCRIPTION,
        SOURCE_IMAGE_SEQUENCE,
        DERIVATION_CODE_SEQUENCE,
        SAMPLES_PER_PIXEL,
        PHOTOMETRIC_INTERPRETATION,
        PLANAR_CONFIGURATION,
        NUMBER_OF_FRAMES,
        ROWS,
        COLUMNS,
        BITS_ALLOCATED,
        BITS_STORED,
        HIGH_BIT,
        PIXEL_REPRESENTATION,
        LOSSY_IMAGE_COMPRESSION,
        LOSSY_IMAGE_COMPRESSION_RATIO,
        LOSSY_IMAGE_COMPRESSION_METHOD,
        ICON_IMAGE_SEQUENCE,
        EXTENDED_OFFSET_TABLE,
        EXTENDED_OFFSET_TABLE_LENGTHS,
        ENCAPSULATED_VALUE_LENGTH,
        FLOAT_PIXEL_DATA,
        DOUBLE_FLOAT_PIXEL_DATA,
        PIXEL_DATA,
        *GROUP_LENGTHS,
    )
)

_LONG_VRS: Final = frozenset(("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "UC", "UN", "UR", "UT"))
UNDEFINED: Final = 0xFFFFFFFF


class Coding(NamedTuple):
    """How the heads and numbers of a Data Set are written."""

    explicit_vr: bool
    big_endian: bool


class Place(NamedTuple):
    """Offsets of one element in its Data Set. vr "": there is none, and it would begin at `start`."""

    vr: str
    start: int
    value: int
    end: int


def coding_of(transfer_syntax_uid: str) -> Coding:
    """The coding of a Data Set in this transfer syntax, inflated where it is deflated."""
    return Coding(*byte_coding(transfer_syntax_uid))


class _Places(dict[int, Place]):
    """Places by tag, made when they are asked for: most conversions look at a third of them."""

    def __init__(self, find: Callable[[int], tuple[str, int, int, int]]) -> None:
        super().__init__()
        self._find = find

    def __missing__(self, tag: int) -> Place:
        place = self[tag] = Place(*self._find(tag))
        return place


class Outline:
    """Where things are in one Data Set, which is not deflated. Raises MalformedDataset as the kernel does.

    wanted: the tags that `places` and `rewritten` know.
    """

    def __init__(
        self,
        source: Buffer,
        transfer_syntax_uid: str,
        depth_max: int = 64,
        wanted: frozenset[int] = WANTED,
    ) -> None:
        self.source = memoryview(source).cast("B")
        self.transfer_syntax_uid = transfer_syntax_uid
        self.coding = coding_of(transfer_syntax_uid)
        syntax = KNOWN.get(transfer_syntax_uid)
        walk = Recoder(
            self.source,
            *self.coding,
            *self.coding,
            encapsulated=syntax is None or syntax.encapsulated,
            depth_max=depth_max,
            wanted=wanted,
        )
        self.nested_fragments = walk.nested_fragments
        self.nested_tags = walk.nested_tags
        self.in_order = walk.in_order
        self.places = _Places(walk.place)

    def __contains__(self, tag: int) -> bool:
        return self.places[tag].vr != ""

    @property
    def has_pixels(self) -> bool:
        return PIXEL_DATA in self or FLOAT_PIXEL_DATA in self or DOUBLE_FLOAT_PIXEL_DATA in self

    def value(self, tag: int) -> memoryview:
        """The value's bytes as they stand; empty when there is no such element."""
        place = self.places[tag]
        return self.source[place.value : place.end]

    def between(self, first: int, last: int) -> memoryview:
        """The elements from one to another, both with them; those of the tags between, if `in_order`."""
        return self.source[self.places[first].start : self.places[last].end]

    def text(self, tag: int, default: str = "") -> str:
        """The value as text without padding, all of its values."""
        value = bytes(self.value(tag)).decode("latin-1").strip(" \0")
        return value or default

    def number(self, tag: int, default: int | None = None) -> int:
        """The one value of VR US. Raises MalformedDataset when it has none, or is something else."""
        place = self.places[tag]
        value = self.value(tag)
        if len(value) == 0 and default is not None:
            return default
        if len(value) != 2 or place.vr not in ("US", "UN"):
            kind = f"VR {place.vr}, {len(value)} bytes" if place.vr else "missing"
            raise MalformedDataset(f"{named(tag)} is no number of 16 bits: {kind}", place.start, tag)
        return int.from_bytes(value, "big" if self.coding.big_endian else "little")

    def integer_string(self, tag: int, default: int) -> int:
        """The one value of VR IS."""
        text = self.text(tag)
        if not text:
            return default
        try:
            return int(text)
        except ValueError:
            raise MalformedDataset(
                f"{named(tag)} is no number: {text[:16]!r}", self.places[tag].start, tag
            ) from None

    def rewritten(self, changes: dict[int, bytes], end: int, start: int = 0) -> Iterator[memoryview | bytes]:
        """The Data Set from byte `start` to `end` with some elements replaced, added or (by b"") left out.

        changes: whole elements in this Data Set's coding, of `wanted`. The Group Lengths of their groups,
        which have to be wanted too, are left out.
        """
        changes = {tag & 0xFFFF0000: b"" for tag in changes} | changes
        at = start
        there = [tag for tag, new in changes.items() if new or tag in self]
        for begin, tag in sorted((min(self.places[tag].start, end), tag) for tag in there):
            if begin > at:
                yield self.source[at:begin]
            if changes[tag]:
                yield changes[tag]
            at = max(at, min(self.places[tag].end, end))
        if at < end:
            yield self.source[at:end]


def named(tag: int) -> str:
    """(0028,0010)"""
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def element(tag: int, vr: str, value: bytes, coding: Coding) -> bytes:
    """One element; text is padded to an even length. PS3.5 7.1."""
    if len(value) % 2:
        value += b"\0" if vr in ("UI", "OB") else b" "
    return head(tag, vr, len(value), coding) + value


def number(tag: int, value: int, coding: Coding) -> bytes:
    """One element of VR US."""
    return element(tag, "US", value.to_bytes(2, "big" if coding.big_endian else "little"), coding)


def sequence(tag: int, items: Iterable[bytes], coding: Coding) -> bytes:
    """A sequence of items whose elements are given; all lengths are stated."""
    order = ">" if coding.big_endian else "<"
    inside = b"".join(struct.pack(order + "HHI", 0xFFFE, 0xE000, len(item)) + item for item in items)
    return element(tag, "SQ", inside, coding)


def head(tag: int, vr: str, length: int, coding: Coding) -> bytes:
    """Tag, VR and length of an element; UNDEFINED for one that is delimited."""
    order = ">" if coding.big_endian else "<"
    group, number = tag >> 16, tag & 0xFFFF
    if not coding.explicit_vr:
        return struct.pack(order + "HHI", group, number, length)
    if vr in _LONG_VRS:
        return struct.pack(order + "HH2sHI", group, number, vr.encode(), 0, length)
    return struct.pack(order + "HH2sH", group, number, vr.encode(), length)
