"""Deflated Data Sets as a stream of bounded pieces, with a ceiling on what may come out. PS3.5 A.5.

Never holds more than one piece of output; what a bomb would inflate to is not computed.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from fastdicom.errors import LimitReached, MalformedDataset

INFLATED_PIECE = 256 * 1024
_DEFLATED_PIECE = 64 * 1024  # zlib copies what it has not consumed at each call: keep that short
_RAW_DEFLATE = -15  # no zlib header, PS3.5 A.5
_GZIP_TRAILER_LENGTH = 8


class Inflater:
    """Inflates one raw deflate stream (RFC 1951) that arrives in pieces.

    inflated_length_max: bytes that may come out. ratio_max: bytes out for one byte in, looked at once
    `ratio_free` bytes have come out.
    """

    def __init__(
        self, inflated_length_max: int = 2 * 1024**3, ratio_max: int = 200, ratio_free: int = 1024**2
    ) -> None:
        self._stream = zlib.decompressobj(_RAW_DEFLATE)
        self._inflated_length_max = inflated_length_max
        self._ratio_max = ratio_max
        self._ratio_free = ratio_free
        self._trailer = b""
        self.taken = 0  # deflated bytes
        self.given = 0  # inflated bytes

    def feed(self, piece: bytes | bytearray | memoryview) -> Iterator[bytes]:
        """The inflated bytes of the next piece, at most INFLATED_PIECE at a time.

        Has to be iterated to the end. Raises MalformedDataset for what is no deflate stream, and
        Refused(A700H) above the ceilings. Padding after the
        stream's end is passed over.
        """
        view = memoryview(piece)
        for start in range(0, len(view), _DEFLATED_PIECE):
            yield from self._inflate(view[start : start + _DEFLATED_PIECE])

    def finish(self) -> None:
        """Check that the stream is at its end. Raises MalformedDataset."""
        if not self._stream.eof:
            raise MalformedDataset(f"deflated Data Set is cut short, byte {self.taken}", self.taken)

    def _inflate(self, piece: memoryview) -> Iterator[bytes]:
        if self._stream.eof:
            self._check_trailer(piece)
            return
        rest: bytes | memoryview = piece
        more = True
        self.taken += len(piece)
        while more:
            inflated = self._decompress(rest)
            rest = self._stream.unconsumed_tail
            self._check_ceilings(len(rest))
            more = not self._stream.eof and (len(rest) > 0 or len(inflated) == INFLATED_PIECE)
            if inflated:
                yield inflated
        self._check_trailer(self._stream.unused_data)

    def _decompress(self, piece: bytes | memoryview) -> bytes:
        try:
            inflated = self._stream.decompress(piece, INFLATED_PIECE)
        except zlib.error as problem:
            message = f"no deflate stream near byte {self.taken}: {problem}"
            raise MalformedDataset(message, self.taken) from None
        self.given += len(inflated)
        return inflated

    def _check_ceilings(self, unread: int) -> None:
        if self.given > self._inflated_length_max:
            comment = f"Data Set inflates to more than {self._inflated_length_max} bytes"
            raise LimitReached(comment)
        consumed = self.taken - unread
        if self.given > self._ratio_free and self.given > consumed * self._ratio_max:
            raise LimitReached(f"Data Set inflates more than {self._ratio_max} times")

    def _check_trailer(self, trailer: bytes | memoryview) -> None:
        """Allow padding, and the CRC and length that writers leave who cut them from a gzip file."""
        self._trailer = (self._trailer + bytes(trailer)).rstrip(b"\0")
        if len(self._trailer) > _GZIP_TRAILER_LENGTH:
            message = f"bytes after the end of the deflated Data Set, byte {self.taken}"
            raise MalformedDataset(message, self.taken)
