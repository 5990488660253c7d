"""Single elements to bytes, for the few Data Sets that a service makes by itself. PS3.5 7.1."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

from fastdicom.standard.transfer_syntaxes import KNOWN

_SHORT_LENGTH_MAX = 0xFFFE


def encode_uid_list(tag: int, uids: Sequence[str], transfer_syntax_uid: str) -> bytes:
    """A Data Set with one UI element of several values.

    With explicit VRs its length has 16 bits: UIDs beyond the first thousand or so are left out, which
    PS3.5 offers no way around.
    """
    syntax = KNOWN[transfer_syntax_uid]
    value = "\\".join(uids).encode("ascii")
    order = ">" if syntax.big_endian else "<"
    group_element = struct.pack(order + "HH", tag >> 16, tag & 0xFFFF)
    if not syntax.explicit_vr:
        value += b"\0" * (len(value) & 1)
        return group_element + struct.pack("<I", len(value)) + value
    if len(value) > _SHORT_LENGTH_MAX:
        value = value[: value.rindex(b"\\", 0, _SHORT_LENGTH_MAX)]
    value += b"\0" * (len(value) & 1)
    element = group_element + b"UI" + struct.pack(order + "H", len(value)) + value
    return deflate(element) if syntax.deflated else element


def deflate(dataset: bytes) -> bytes:
    """A Data Set for the deflated syntaxes: raw deflate, padded to an even length. PS3.5 A.5."""
    deflater = zlib.compressobj(zlib.Z_DEFAULT_COMPRESSION, zlib.DEFLATED, -zlib.MAX_WBITS)
    out = deflater.compress(dataset) + deflater.flush()
    return out + b"\0" * (len(out) & 1)
