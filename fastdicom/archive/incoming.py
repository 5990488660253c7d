"""A file that is being received: written as it arrives, sealed when it is whole, or discarded."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fastdicom.archive.disk import Disk
from fastdicom.archive.layout import Block, Layout
from fastdicom.archive.space import LOOK_EVERY, Space
from fastdicom.kernels import turnstile

_PIECES_MAX = 1024  # IOV_MAX
_LONG = 64 * 1024  # bytes: meanwhile others may go on


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
        self._flushed: Callable[[], None] | None = None  # while it is on its way to the disk
        self._fault: OSError | None = None  # of its flush, until somebody was told
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
            self._disk.sync_data(self._fd)
        self._close()

    def begin_seal(self) -> None:
        """The file is whole, and on its way to stable storage: `end_seal` waits for it."""
        fd, self._fd = self._fd, -1
        self._flushed = self._disk.begin_sync(fd, self.size)

    def await_seal(self) -> None:
        """Returns when the flush that `begin_seal` began has ended; `end_seal` tells how."""
        flushed, self._flushed = self._flushed, None
        if flushed is None:
            return
        if self._space is not None:
            self._space.closed(self)
        outside = turnstile.leave()
        try:
            flushed()
        except OSError as error:
            self._fault = error
        if outside:
            turnstile.enter()

    def end_seal(self) -> None:
        """Its bytes are on stable storage when this returns; a second call has nothing to do."""
        self.await_seal()
        fault, self._fault = self._fault, None
        if fault is not None:
            raise fault

    def finish(self) -> None:
        """The file stays."""
        self.block.release()

    def discard(self) -> None:
        """Remove what there is of the file."""
        self.await_seal()
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
            fd, self._fd = self._fd, -1
            if self._space is not None:
                self._space.closed(self)
            self._disk.close(fd)
