"""Bytes that wait: in memory while they are few, then in an unnamed file that goes when nobody uses it."""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Iterable, Iterator
from typing import IO

from fastdicom.errors import Unavailable

Buffer = bytes | bytearray | memoryview

MEMORY_MAX = 32 << 20
"""Bytes that a spool holds in memory, by default."""


class Spool:
    """Write pieces, then read them all, as often as wanted.

    folder: where the file is made (the system's folder for temporary files by default); it has no name, so
    that nothing is left of it whatever happens. min_free: bytes that stay free on its disk. Raises
    Unavailable when they would not, OSError when the disk refuses.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str] | None = None,
        memory_max: int = MEMORY_MAX,
        min_free: int = 0,
    ) -> None:
        self.length = 0
        self._folder = folder
        self._memory_max = memory_max
        self._min_free = min_free
        self._pieces: list[bytes] = []
        self._file: IO[bytes] | None = None

    def write(self, piece: Buffer) -> None:
        """Take the next piece; it may change afterwards."""
        self.length += memoryview(piece).nbytes
        if self._file is None and self.length <= self._memory_max:
            self._pieces.append(bytes(piece))
            return
        self._to_file()
        assert self._file is not None
        self._check_free(memoryview(piece).nbytes)
        self._file.write(piece)

    def _to_file(self) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 -- it lives as long as we do
            self._check_free(sum(map(len, self._pieces)))
            self._file.writelines(self._pieces)
            self._pieces = []

    def _check_free(self, length: int) -> None:
        """Is there room for so many bytes more? Asked for each piece, which is a frame or 256 KiB."""
        assert self._file is not None
        disk = os.fstatvfs(self._file.fileno())
        free = disk.f_bavail * disk.f_frsize
        if free - length < self._min_free:
            raise Unavailable(
                f"no room for what a conversion has to keep: {length} bytes more, {free} bytes are free,"
                f" {self._min_free} must stay free"
            )

    def __iter__(self) -> Iterator[Buffer]:
        """The pieces, or one view of the file."""
        if self._file is None:
            return iter(self._pieces)
        return iter((self.whole(),))

    def whole(self) -> Buffer:
        """Everything in one buffer; a file is mapped, and lives as long as the view."""
        if self._file is None:
            return self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._file.flush()
        return memoryview(mmap.mmap(self._file.fileno(), self.length, access=mmap.ACCESS_READ))


def spooled(
    pieces: Iterable[Buffer],
    folder: str | os.PathLike[str] | None = None,
    memory_max: int = MEMORY_MAX,
    min_free: int = 0,
) -> Spool:
    """A spool that holds all of `pieces`."""
    spool = Spool(folder, memory_max, min_free)
    for piece in pieces:
        spool.write(piece)
    return spool
