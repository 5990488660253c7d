"""The files of an archive: new ones, stored ones, and the room that is left for more."""

from __future__ import annotations

import mmap
import os
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from fastdicom.archive.disk import Disk
from fastdicom.archive.incoming import IncomingFile
from fastdicom.archive.layout import Layout
from fastdicom.errors import Unavailable

_FREE_CHECK_S = 0.5
_MMAP_MIN = 128 * 1024  # below it, one read is cheaper than two page table changes


class Files:
    """The objects folder of one archive, for one process.

    min_free: bytes that stay free; below it `incoming` raises Unavailable. sync: names survive a power cut.
    """

    def __init__(self, root: Path, disk: Disk, *, min_free: int = 0, sync: bool = True) -> None:
        root.mkdir(mode=0o750, parents=True, exist_ok=True)
        self.root = root
        self.disk = disk
        self.layout = Layout(root, disk, sync=sync)
        self.min_free = min_free
        self._free = 0
        self._free_checked = float("-inf")
        self._lock = threading.Lock()

    def incoming(self) -> IncomingFile:
        """A new file. Raises Unavailable when the disk is too full, or refuses."""
        self.check_free()
        try:
            return IncomingFile(self.layout, self.disk)
        except OSError as error:
            raise Unavailable(f"cannot create a file: {error.strerror}") from error

    def check_free(self) -> None:
        """Raises Unavailable when less than `min_free` bytes are left.

        Asks the disk twice a second, and each time while it is too full: room that was made counts at once.
        """
        now = time.monotonic()
        with self._lock:
            if now - self._free_checked >= _FREE_CHECK_S or self._free < self.min_free:
                try:
                    self._free = self.disk.free_bytes(str(self.root))
                except OSError as error:
                    raise Unavailable(f"cannot ask the disk: {error.strerror}") from error
                self._free_checked = now
            free = self._free
        if free < self.min_free:
            raise Unavailable(f"{free} bytes are free, {self.min_free} must stay free")

    @property
    def free(self) -> int:
        """Bytes that may still be written, min_free included."""
        return self.disk.free_bytes(str(self.root))

    def path_of(self, path: str) -> Path:
        """The absolute path of an indexed one."""
        return self.root / path

    def read(self, path: str) -> memoryview:
        """All bytes of a stored file. Raises OSError; an empty or cut file is the caller's to notice."""
        fd = os.open(self.root / path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            size = os.fstat(fd).st_size
            if size < _MMAP_MIN:
                return memoryview(os.read(fd, size))
            return memoryview(mmap.mmap(fd, size, access=mmap.ACCESS_READ))
        finally:
            os.close(fd)

    def unlink(self, paths: Iterable[str]) -> list[str]:
        """Remove files that have no row any more; returns those that are gone now."""
        gone = []
        for path in paths:
            try:
                os.unlink(self.root / path)
            except FileNotFoundError:
                pass
            except OSError:
                continue  # it stays in the index's trash and is tried again
            gone.append(path)
        return gone

    def close(self) -> None:
        """Give the lock on the block that is being filled back."""
        self.layout.close()
