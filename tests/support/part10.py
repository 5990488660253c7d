"""Part 10 files cut into File Meta Information and Data Set, and put together, without a DICOM library."""

from __future__ import annotations

import struct
from pathlib import Path

from tests.support.rawelements import LONG_VRS, explicit

PREAMBLE = bytes(128) + b"DICM"
MEDIA_STORAGE_SOP_CLASS = 0x00020002
MEDIA_STORAGE_SOP_INSTANCE = 0x00020003
TRANSFER_SYNTAX = 0x00020010


def split(raw: bytes) -> tuple[dict[int, bytes], bytes]:
    """The values of group 0002 by tag, and the bytes of the Data Set. PS3.10 7.1.

    Without a preamble the File Meta Information may start at once or be absent (an empty dict).
    The group length is not trusted: elements are walked until another group begins.
    """
    at = 132 if raw[128:132] == b"DICM" else 0
    meta: dict[int, bytes] = {}
    while at + 8 <= len(raw) and raw[at : at + 2] == b"\x02\x00":
        group, element, vr = struct.unpack_from("<HH2s", raw, at)
        if vr.decode("latin-1") in LONG_VRS:
            start, length = at + 12, struct.unpack_from("<I", raw, at + 8)[0]
        else:
            start, length = at + 8, struct.unpack_from("<H", raw, at + 6)[0]
        meta[group << 16 | element] = raw[start : start + length]
        at = start + length
    return meta, raw[at:]


def data_set_of(path: Path) -> bytes:
    """The bytes after the File Meta Information of a file."""
    return split(path.read_bytes())[1]


def uid(meta: dict[int, bytes], tag: int) -> str:
    """A UID of the File Meta Information, empty when it is absent."""
    return meta.get(tag, b"").decode("ascii", "replace").rstrip("\0 ")


def join(data: bytes, sop_class: str, sop_instance: str, transfer_syntax: str) -> bytes:
    """A Part 10 file around the bytes of a Data Set."""
    meta = b"".join(
        (
            explicit(0x00020001, "OB", b"\0\1"),
            explicit(MEDIA_STORAGE_SOP_CLASS, "UI", sop_class),
            explicit(MEDIA_STORAGE_SOP_INSTANCE, "UI", sop_instance),
            explicit(TRANSFER_SYNTAX, "UI", transfer_syntax),
            explicit(0x00020012, "UI", "1.2.826.0.1.3680043.10.1561.1"),
        )
    )
    return PREAMBLE + explicit(0x00020000, "UL", struct.pack("<I", len(meta))) + meta + data
