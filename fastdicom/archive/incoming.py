"""A file that is being received: written as it arrives, sealed when it is whole, or discarded."""

from __future__ import annotations

from collections.abc import Sequence

from fastdicom.archive.disk import Disk
from fastdicom.archive.layout import Block, Layout
from fastdicom.archive.space import LOOK_EVERY, Space
from fastdicom.kernels import turnstile

_PIECES_MAX = 1024  # IOV_MAX
_LONG = 64 * 1024  # bytes: meanwhile others may go on
_FLUSHED_APART = 4 << 20  # bytes from which a flush takes so long that short files must not queue behind it


class IncomingFile:
    """One new file of the archive. Exactly one of `finish` and `discard` ends its life.

    Every method raises OSError when the disk refuses.
    """

    def __init__(self, layout: Layout, disk: Disk, space: Space | None = None) -> None:
        self._disk = disk
        self._space = space
        self._look_at = LOOK_EVERY
        self.block: Block
        self.block, self._name, self._fd = layout.place()
        self.size = 0
        if space is not None:
            space.opened(self)

    @property
    def path(self) -> str:
        """Where the file is, relative to the objects folder."""
        return f"{self.block.name}/{self._name}"

    def append(self, pieces: Sequence[memoryview | bytes]) -> None:
        """Write all of `pieces`, in order."""
        length = sum(map(len, pieces))
        outside = length > _LONG and turnstile.leave()
        written = self._disk.write(self._fd, pieces[:_PIECES_MAX])
        if outside:
            turnstile.enter()
        self.size += written
        if written < length:
            self._append_rest(pieces, written)
        if self.size >= self._look_at and self._space is not None:
            self._look_at = self.size + LOOK_EVERY
            self._space.check_floor()

    def _append_rest(self, pieces: Sequence[memoryview | bytes], written: int) -> None:
        rest = [memoryview(piece) for piece in pieces]
        while rest:
            while rest and written >= len(rest[0]):
                written -= len(rest.pop(0))
            if not rest:
                return
            rest[0] = rest[0][written:]
            written = self._disk.write(self._fd, rest[:_PIECES_MAX])
            self.size += written

    def overwrite(self, data: bytes, offset: int) -> None:
        """Write over bytes that were appended before."""
        while data:
            written = self._disk.write_at(self._fd, data, offset)
            data = data[written:]
            offset += written

    def read(self) -> memoryview:
        """What has been written so far, mapped."""
        return self._disk.read(self.block.fd, self._name)

    def seal(self, *, sync: bool) -> None:
        """The file is whole; with `sync` its bytes are on stable storage when this returns."""
        if sync:
            self._sync()
        self._close()

    def _sync(self) -> None:
        outside = turnstile.leave()
        try:
            if self.size > _FLUSHED_APART:
                self._disk.sync_data(self._fd)
            else:
                self._disk.sync_and_close(self._released(), self.size)
        finally:
            if outside:
                turnstile.enter()

    def finish(self) -> None:
        """The file stays."""
        self.block.release()

    def discard(self) -> None:
        """Remove what there is of the file."""
        try:
            self._close()
            self._disk.unlink(self.block.fd, self._name)
        except OSError:
            self.block.clean = False
            raise
        finally:
            self.block.release()

    def _close(self) -> None:
        if self._fd >= 0:
            self._disk.close(self._released())

    def _released(self) -> int:
        """The descriptor, which is somebody else's to close from now on."""
        fd, self._fd = self._fd, -1
        if self._space is not None:
            self._space.closed(self)
        return fd
