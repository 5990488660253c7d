"""What an instance was before [[compress]], in its own file: in Private Information (0002,0102), PS3.10 7.1.

So the proof outlives the index. File Meta Information is always ours: what comes in a peer's file, or in one
that is imported, is not taken over.
"""

from __future__ import annotations

import re
from typing import Final

from fastdicom.dataset.record import Compression

_NOTE: Final = re.compile(rb"compressed 1 ([0-9.]{1,64}) ([0-9]{1,18}) ([0-9a-f]{16}) ([0-9a-f]{16}) ?")


def encode_note(compression: Compression) -> bytes:
    """Transfer syntax, size and checksum of what came, checksum of its pixels; of even length."""
    note = (
        f"compressed 1 {compression.received_as} {compression.received_size}"
        f" {compression.received_checksum:016x} {compression.pixels_before:016x}"
    ).encode("ascii")
    return note + b" " * (len(note) & 1)


def decode_note(note: bytes) -> Compression | None:
    """What a note says; None for what is none.

    >>> from fastdicom.dataset.compression_note import Compression, decode_note, encode_note
    >>> before = Compression("1.2.840.10008.1.2.1", 1000, 1, 2, 2)
    >>> decode_note(encode_note(before)) == before
    True
    """
    found = _NOTE.fullmatch(note)
    if found is None:
        return None
    uid, size, checksum, pixels = found.groups()
    return Compression(uid.decode("ascii"), int(size), int(checksum, 16), int(pixels, 16), int(pixels, 16))
