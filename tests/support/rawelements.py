"""Data Set elements as bytes, right or wrong on purpose. PS3.5 7.1, 7.5. No DICOM library.

Written for identifiers and hostile Data Sets: `length` replaces the true length of whatever it is given for.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable

UNDEFINED = 0xFFFFFFFF
LONG_VRS = frozenset(["OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"])
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD

SPECIFIC_CHARACTER_SET = 0x00080005
SOP_CLASS_UID = 0x00080016
SOP_INSTANCE_UID = 0x00080018
STUDY_DATE = 0x00080020
QUERY_LEVEL = 0x00080052
ACCESSION_NUMBER = 0x00080050
MODALITY = 0x00080060
STUDY_DESCRIPTION = 0x00081030
REFERENCED_STUDY_SEQUENCE = 0x00081110
PATIENT_NAME = 0x00100010
PATIENT_ID = 0x00100020
STUDY_INSTANCE_UID = 0x0020000D
SERIES_INSTANCE_UID = 0x0020000E
INSTANCE_NUMBER = 0x00200013
PIXEL_DATA = 0x7FE00010

VRS = {
    SPECIFIC_CHARACTER_SET: "CS",
    SOP_CLASS_UID: "UI",
    SOP_INSTANCE_UID: "UI",
    STUDY_DATE: "DA",
    QUERY_LEVEL: "CS",
    ACCESSION_NUMBER: "SH",
    MODALITY: "CS",
    STUDY_DESCRIPTION: "LO",
    PATIENT_NAME: "PN",
    PATIENT_ID: "LO",
    STUDY_INSTANCE_UID: "UI",
    SERIES_INSTANCE_UID: "UI",
    INSTANCE_NUMBER: "IS",
}


def tag_bytes(tag: int) -> bytes:
    """A tag, little endian."""
    return struct.pack("<HH", tag >> 16, tag & 0xFFFF)


def padded(value: str | bytes, vr: str) -> bytes:
    """The value's bytes with even length; bytes are taken as they are."""
    if isinstance(value, bytes):
        return value
    raw = value.encode("latin-1")
    return raw + (b"\0" if vr == "UI" else b" ") * (len(raw) % 2)


def explicit(tag: int, vr: str, value: str | bytes, length: int | None = None) -> bytes:
    """An Explicit VR Little Endian element. PS3.5 7.1.2."""
    raw = padded(value, vr)
    stated = len(raw) if length is None else length
    head = tag_bytes(tag) + vr.encode("latin-1")
    if vr in LONG_VRS:
        return head + struct.pack("<HI", 0, stated) + raw
    return head + struct.pack("<H", stated & 0xFFFF) + raw


def implicit(tag: int, value: str | bytes, length: int | None = None) -> bytes:
    """An Implicit VR Little Endian element. PS3.5 7.1.3."""
    raw = padded(value, VRS.get(tag, "LO"))
    return tag_bytes(tag) + struct.pack("<I", len(raw) if length is None else length) + raw


def item(content: bytes, length: int | None = None) -> bytes:
    """A sequence item; with UNDEFINED it gets its delimitation item. PS3.5 7.5."""
    head = tag_bytes(ITEM) + struct.pack("<I", len(content) if length is None else length)
    return head + content + (delimiter(ITEM_END) if length == UNDEFINED else b"")


def delimiter(tag: int, length: int = 0) -> bytes:
    """An item or sequence delimitation item."""
    return tag_bytes(tag) + struct.pack("<I", length)


def data_set(values: dict[int, str | bytes], vrs: bool = True) -> bytes:
    """Elements of known tags in ascending order, with explicit VRs or without."""
    encode = (lambda tag, value: explicit(tag, VRS[tag], value)) if vrs else implicit
    return b"".join(encode(tag, value) for tag, value in sorted(values.items()))


def identifier(level: str, keys: dict[int, str | bytes] | None = None) -> bytes:
    """A C-FIND or C-MOVE identifier in Implicit VR Little Endian."""
    return data_set({QUERY_LEVEL: level, **(keys or {})}, vrs=False)


def instance(
    uids: tuple[str, str, str],
    sop_class: str,
    more: Iterable[bytes] = (),
    keys: dict[int, str | bytes] | None = None,
    vrs: bool = True,
) -> bytes:
    """A small instance: study, series and SOP Instance UID, then `more` elements appended as they are."""
    study, series, sop_instance = uids
    values: dict[int, str | bytes] = {
        SOP_CLASS_UID: sop_class,
        SOP_INSTANCE_UID: sop_instance,
        MODALITY: "OT",
        PATIENT_NAME: "Test^Peer",
        PATIENT_ID: "PEER",
        STUDY_INSTANCE_UID: study,
        SERIES_INSTANCE_UID: series,
    }
    return data_set(values | (keys or {}), vrs) + b"".join(more)


def nested(
    depth: int, tag: int = 0x00400275, *, defined: bool = False, closed: bool = True, vrs: bool = True
) -> bytes:
    """`depth` sequences inside each other, iteratively built; unclosed ones just end."""
    if defined:
        return _nested_defined(depth, tag, vrs)
    head = explicit(tag, "SQ", b"", UNDEFINED) if vrs else implicit(tag, b"", UNDEFINED)
    opening = head + tag_bytes(ITEM) + struct.pack("<I", UNDEFINED)
    closing = delimiter(ITEM_END) + delimiter(SEQUENCE_END)
    return opening * depth + (closing * depth if closed else b"")


def _nested_defined(depth: int, tag: int, vrs: bool) -> bytes:
    """Built from the outside in: a level costs its own header and an item header of 8 bytes."""
    level = len(explicit(tag, "SQ", b"") if vrs else implicit(tag, b"")) + 8
    parts = []
    for left in range(depth, 0, -1):
        length = left * level - (level - 8)
        parts.append(explicit(tag, "SQ", b"", length) if vrs else implicit(tag, b"", length))
        parts.append(tag_bytes(ITEM) + struct.pack("<I", length - 8))
    return b"".join(parts)


def deflated(data: bytes) -> bytes:
    """Raw deflate, as the Deflated transfer syntax has it. PS3.5 A.5."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def zeros_deflated(before: bytes, count: int) -> bytes:
    """`before` and `count` zero bytes, deflated in pieces so that the bomb costs its maker no memory."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    parts = [packer.compress(before)]
    block = bytes(1 << 20)
    for _ in range(count >> 20):
        parts.append(packer.compress(block))
    parts.append(packer.compress(bytes(count & 0xFFFFF)))
    return b"".join(parts) + packer.flush()
