"""Native conversions: Implicit and Explicit VR, Little and Big Endian, Deflated. PS3.5 A.1 to A.5.

Pixels, where there are any, only change their byte order. A Data Set without pixels may come in any syntax:
in an encapsulated one it is Explicit VR Little Endian like every other.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Iterator

from fastdicom.dataset.inflate import Inflater
from fastdicom.dataset.part10 import is_deflated
from fastdicom.dataset.scanned import byte_coding
from fastdicom.errors import UsageError
from fastdicom.kernels.recode import Recoder
from fastdicom.standard.transfer_syntaxes import NATIVE
from fastdicom.transcoding.spool import Buffer, spooled

INFLATED_IN_MEMORY = 32 * 1024 * 1024  # a longer inflated Data Set waits in an unnamed file
_EXPLICIT_LITTLE = (True, False)
_DEFLATE_PIECE = 256 * 1024


class Recoding:
    """The pieces of a converted Data Set, once. `length` is that of all of them, None when not known."""

    def __init__(self, pieces: Iterable[Buffer], length: int | None) -> None:
        self.length = length
        self._pieces = pieces

    def __iter__(self) -> Iterator[Buffer]:
        return iter(self._pieces)


def recode(
    source: Buffer,
    from_uid: str,
    to_uid: str,
    *,
    inflated_length_max: int = 2 * 1024**3,
    depth_max: int = 64,
    folder: str | os.PathLike[str] | None = None,
    min_free: int = 0,
) -> Recoding:
    """The Data Set `source` in another transfer syntax, piece by piece.

    source: all of it, without File Meta Information; it is borrowed until the last piece is gone (pieces
    may be views of it). Memory does not grow with its length. Raises MalformedDataset before the first piece,
    for a deflated source also between pieces; Refused(A700H) when it inflates to more than
    inflated_length_max; Unavailable when less than min_free bytes stay free in `folder`; UsageError when
    `to_uid` is not native. Encapsulated Pixel Data counts as malformed.
    """
    if to_uid not in NATIVE:
        raise UsageError(f"{to_uid} is no native transfer syntax")
    if from_uid == to_uid:
        return Recoding((source,), len(source))
    coding, to_coding = byte_coding(from_uid), byte_coding(to_uid)
    if is_deflated(from_uid):
        inflater = Inflater(inflated_length_max)
        if coding == to_coding and not is_deflated(to_uid):
            return Recoding(_inflated(inflater, source), None)
        source = spooled(_inflated(inflater, source), folder, INFLATED_IN_MEMORY, min_free).whole()
    pieces: Recoder | tuple[Buffer] = (source,)
    length = len(source)
    if coding != to_coding or from_uid not in NATIVE:
        pieces = Recoder(source, *coding, *to_coding, depth_max=depth_max)
        length = pieces.length
    if is_deflated(to_uid):
        return Recoding(deflated(pieces), None)
    return Recoding(pieces, length)


def _inflated(inflater: Inflater, source: Buffer) -> Iterator[bytes]:
    yield from inflater.feed(source)
    inflater.finish()


def deflated(pieces: Iterable[Buffer]) -> Iterator[bytes]:
    """A raw deflate stream of even length, piece by piece. PS3.5 A.5."""
    deflater = zlib.compressobj(wbits=-15)
    length = 0
    for piece in pieces:
        view = memoryview(piece)
        for start in range(0, len(view), _DEFLATE_PIECE):
            deflated = deflater.compress(view[start : start + _DEFLATE_PIECE])
            length += len(deflated)
            if deflated:
                yield deflated
    rest = deflater.flush()
    yield rest + b"\0" * ((length + len(rest)) % 2)
