"""Data Sets with their text in another character set: UTF-8 for the index, the asker's set for answers.

The Data Sets are those of records: Explicit VR Little Endian, sequences and items with explicit lengths.
"""

from __future__ import annotations

import logging
import re
import struct
from collections.abc import Callable

from fastdicom.dataset.attributes import SPECIFIC_CHARACTER_SET
from fastdicom.dataset.charset import TEXT_VRS, Charset, charset_of
from fastdicom.kernels.rows import elements, items, text_is_plain, value_of

log = logging.getLogger(__name__)

_CHARSET_HEAD = struct.pack("<HH2s", 0x0008, 0x0005, b"CS")
SHORT_VRS = frozenset(  # a 16-bit length, PS3.5 Table 7.1-2
    re.findall("..", "AEASATCSDADSDTFDFLISLOLTPNSHSLSSSTTMUIULUS")
)
_SHORT_LENGTH_MAX = 0xFFFE

Recode = Callable[[bytes, str], bytes | None]
"""(value, VR) -> the value in the other character set; None when that cannot carry it."""


def element(tag: int, vr: str, value: bytes) -> bytes:
    """One element in Explicit VR Little Endian, padded to an even length. PS3.5 7.1.2.

    Raises ValueError for a value that is too long for its VR.
    """
    if len(value) & 1:
        value += b"\0" if vr in ("UI", "OB", "UN") else b" "
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr.encode("ascii"))
    if vr not in SHORT_VRS:
        return head + struct.pack("<HI", 0, len(value)) + value
    if len(value) > _SHORT_LENGTH_MAX:
        raise ValueError(f"({tag >> 16:04X},{tag & 0xFFFF:04X}): {len(value)} bytes do not fit VR {vr}")
    return head + struct.pack("<H", len(value)) + value


def item(dataset: bytes) -> bytes:
    """A Data Set as an item of a sequence. PS3.5 7.5."""
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(dataset)) + dataset


def to_utf8(dataset: bytes) -> bytes:
    """The Data Set with its text in UTF-8 and without Specific Character Set: what index rows hold.

    Items may name a set of their own (PS3.5 6.1.2.3 with PS3.3 C.12.1.1.2). The usual case, plain ASCII,
    costs one pass in a kernel.
    """
    if text_is_plain(dataset):
        if not dataset.startswith(_CHARSET_HEAD):
            return dataset
        return dataset[8 + int.from_bytes(dataset[6:8], "little") :]
    return _dataset_to_utf8(dataset, charset_of(b""))


def with_uid(dataset: bytes, tag: int, uid: str) -> bytes:
    """The Data Set with this UID element: as it is when it has it, else put in its place by tag."""
    value = uid.encode("utf-8", "surrogatepass")
    there = value_of(dataset, tag)
    if there is not None and there.strip(b" \0") == value:
        return dataset
    kept = [(other, element(other, vr, inner)) for other, vr, inner in elements(dataset) if other != tag]
    return b"".join(data for _, data in sorted([*kept, (tag, element(tag, "UI", value))]))


def _dataset_to_utf8(dataset: bytes, outer: Charset) -> bytes:
    out = bytearray()
    charset = outer
    for tag, vr, value in elements(dataset):
        if tag == SPECIFIC_CHARACTER_SET:
            charset = charset_of(value)
        elif vr == "SQ":
            inside = b"".join(item(_dataset_to_utf8(one, charset)) for one in items(value))
            out += element(tag, vr, inside)
        elif vr in TEXT_VRS:
            out += _utf8_element(tag, vr, charset.decode(value, vr).encode("utf-8", "replace"))
        else:
            out += element(tag, vr, value)
    return bytes(out)


def _utf8_element(tag: int, vr: str, value: bytes) -> bytes:
    """UTF-8 can be longer than what was received, and then longer than the VR's 16-bit length."""
    if vr in SHORT_VRS and len(value) > _SHORT_LENGTH_MAX:
        log.warning("(%04X,%04X) of %d bytes is cut in the index", tag >> 16, tag & 0xFFFF, len(value))
        value = value[:_SHORT_LENGTH_MAX].decode("utf-8", "ignore").encode("utf-8")
    return element(tag, vr, value)


def recode_value(value: bytes, vr: str, recode: Recode) -> bytes | None:
    """A value of an index row, a sequence too, in another set; None when that cannot carry all of it."""
    if vr != "SQ":
        return recode(value, vr) if vr in TEXT_VRS else value
    out = bytearray()
    for one in items(value):
        inside = bytearray()
        for tag, inner_vr, inner in elements(one):
            recoded = recode_value(inner, inner_vr, recode)
            if recoded is None:
                return None
            inside += element(tag, inner_vr, recoded)
        out += item(bytes(inside))
    return bytes(out)


def from_utf8(charset: Charset) -> Recode:
    """The Recode that turns UTF-8 values into `charset`."""

    def recode(value: bytes, vr: str) -> bytes | None:
        found = charset.encode(value.decode("utf-8", "replace"), vr)
        too_long = found is not None and len(found) > _SHORT_LENGTH_MAX and vr in SHORT_VRS
        return None if too_long else found

    return recode
