"""The files of an archive: new ones, stored ones, and the room that is left for more."""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from fastdicom.archive.disk import Disk
from fastdicom.archive.health import WatchedDisk
from fastdicom.archive.incoming import IncomingFile
from fastdicom.archive.layout import Layout
from fastdicom.archive.space import Space
from fastdicom.errors import Unavailable
from fastdicom.kernels.block import Block

_WHOLE_MAX = 1 << 20  # files up to here are read into memory at once; see GIL_KEPT_BELOW in ext/wire.pxd
_BLOCK_FROM = 64 << 10  # and from here on into memory that was used before
_PIECE = 1 << 20

Visit = Callable[[int, memoryview], None]
"""Is given (offset, piece) of a file; the piece is borrowed for the call."""


class Files:
    """The objects folder of one archive, for one process.

    min_free: bytes that stay free; below it `incoming` raises Unavailable, until a quarter more is free.
    sync: names survive a power cut.
    """

    def __init__(self, root: Path, disk: Disk, *, min_free: int = 0, sync: bool = True) -> None:
        root.mkdir(mode=0o750, parents=True, exist_ok=True)
        self.root = root
        self._below = f"{root}/"  # a pathlib path is made three times slower than a file is opened
        watched = WatchedDisk(disk, root)
        self.disk: Disk = watched
        self.health = watched.health
        self.layout = Layout(root, self.disk, sync=sync)
        self.space = Space(root, self.disk, min_free)

    def incoming(self) -> IncomingFile:
        """A new file. Raises Unavailable when the disk is too full, is not trusted, or refuses."""
        self.space.admit()
        self.health.check()
        try:
            return IncomingFile(self.layout, self.disk, self.space)
        except OSError as error:
            raise Unavailable(f"cannot create a file: {error.strerror}") from error

    @property
    def min_free(self) -> int:
        """Below it nothing is taken."""
        return self.space.min_free

    @property
    def free(self) -> int:
        """Bytes that may still be written, min_free included."""
        return self.disk.free_bytes(str(self.root))

    def path_of(self, path: str) -> Path:
        """The absolute path of an indexed one."""
        return self.root / path

    def read(self, path: str, visit: Visit | None = None, size: int | None = None) -> memoryview:
        """All bytes of a stored file. Raises OSError; an empty or cut file is the caller's to notice.

        visit: is given (offset, piece) for the whole file, in order, before anything is returned. Reading
        by system call is also what turns a bad sector into an OSError: in a mapping it would be a SIGBUS,
        so a large file is mapped only when it was read (and is in memory) already.
        size: what the file should have, which saves asking for it; it may be wrong.
        """
        fd = self.disk.open(self._below + path)
        try:
            if size is None or size > _WHOLE_MAX:
                return self._read_unknown(fd, visit)
            data = self._read_at_once(fd, size + 1)  # one more: is there more?
            if len(data) != size:
                return self._read_unknown(fd, visit)
            if visit is not None:
                visit(0, data)
            return data
        finally:
            os.close(fd)

    def _read_at_once(self, fd: int, length: int) -> memoryview:
        if length < _BLOCK_FROM:
            return memoryview(self.disk.read_at(fd, length, 0))
        block = memoryview(Block())
        return block[: self.disk.read_into(fd, block[:length], 0)]

    def _read_unknown(self, fd: int, visit: Visit | None) -> memoryview:
        """An open file of any size, as `read` gives it."""
        size = os.fstat(fd).st_size
        if size <= _WHOLE_MAX:
            data = self._read_at_once(fd, size)
            if visit is not None:
                visit(0, data)
            return data
        self._read_through(fd, visit)
        return memoryview(mmap.mmap(fd, size, access=mmap.ACCESS_READ))

    def pieces(self, path: str, offset: int, length: int) -> Iterator[bytes]:
        """What a stored file has from `offset` on, `length` bytes at a time. Raises OSError."""
        fd = self.disk.open(self._below + path)
        try:
            while piece := self.disk.read_at(fd, length, offset):
                yield piece
                offset += len(piece)
        finally:
            os.close(fd)

    def _read_through(self, fd: int, visit: Visit | None) -> None:
        """Read an open file to its end and give `visit` each piece, in order."""
        space = memoryview(Block())[:_PIECE]
        offset = 0
        while count := self.disk.read_into(fd, space, offset):
            if visit is not None:
                visit(offset, space[:count])
            offset += count

    def visit(self, path: str, visit: Visit) -> int:
        """Give (offset, piece) of a stored file from the disk itself, not from memory; its size.

        Its pages are dropped from memory before and after, so that what others need stays there.
        """
        fd = self.disk.open(self._below + path)
        try:
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            self._read_through(fd, visit)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            return os.fstat(fd).st_size
        finally:
            os.close(fd)

    def unlink(self, paths: Iterable[str]) -> list[str]:
        """Remove files that have no row any more; returns those that are gone now."""
        gone = []
        for path in paths:
            try:
                self.disk.remove(self.root / path)
            except FileNotFoundError:
                pass
            except OSError:
                continue  # it stays in the index's trash and is tried again
            gone.append(path)
        return gone

    def close(self) -> None:
        """Give the lock on the block that is being filled back."""
        self.layout.close()
