"""The system calls that the archive makes, in one place, so that a test can make each of them fail."""

from __future__ import annotations

import mmap
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from fastdicom.kernels.flusher import Flush


def _nobody(seconds: float) -> None:
    return


class Disk:
    """Plain system calls; each raises OSError. `FailingDisk` in the tests has the same methods."""

    synced: Callable[[float], None] = staticmethod(_nobody)

    def tell_syncs(self, told: Callable[[float], None]) -> None:
        """Have `told` hear how long each flush took, on the thread that waited for it.

        It is where the time of a durable C-STORE goes, and the first sign of a bad disk.
        """
        self.synced = told

    def create(self, folder_fd: int, name: str) -> int:
        """A new file for writing; its name must not exist. Returns the descriptor."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        return os.open(name, flags, 0o640, dir_fd=folder_fd)

    def write(self, fd: int, pieces: Sequence[memoryview | bytes]) -> int:
        """Write some of `pieces` (at most 1,024); returns how many bytes were written."""
        return os.writev(fd, pieces)

    def write_at(self, fd: int, data: bytes, offset: int) -> int:
        """Write over some of the bytes from `offset` on; returns how many were written."""
        return os.pwrite(fd, data, offset)

    def read(self, folder_fd: int, name: str) -> memoryview:
        """All that a file holds, mapped."""
        fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=folder_fd)
        try:
            return memoryview(mmap.mmap(fd, 0, access=mmap.ACCESS_READ))
        finally:
            os.close(fd)

    def sync_data(self, fd: int) -> None:
        """Make a file's contents and length survive a power cut."""
        started = time.perf_counter()
        os.fdatasync(fd)
        self.synced(time.perf_counter() - started)

    def sync_and_close(self, fd: int, length: int) -> None:
        """`sync_data`, then `close` whatever came of it, on a thread that flushes for all. length: bytes."""
        self.synced(Flush(fd, length).wait())

    def sync_folder(self, fd: int) -> None:
        """Make a folder's names survive a power cut."""
        started = time.perf_counter()
        os.fsync(fd)
        self.synced(time.perf_counter() - started)

    def unlink(self, folder_fd: int, name: str) -> None:
        """Remove a name."""
        os.unlink(name, dir_fd=folder_fd)

    def close(self, fd: int) -> None:
        """Close a descriptor."""
        os.close(fd)

    def open(self, path: str) -> int:
        """A stored file for reading. Returns the descriptor."""
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)

    def read_at(self, fd: int, length: int, offset: int) -> bytes:
        """Up to `length` bytes of a file; fewer at its end."""
        return os.pread(fd, length, offset)

    def read_into(self, fd: int, space: memoryview, offset: int) -> int:
        """Fill `space` with what a file has from `offset` on; how many bytes that were, fewer at its end."""
        return os.preadv(fd, [space], offset)

    def remove(self, path: Path) -> None:
        """Remove a stored file."""
        os.unlink(path)

    def free_bytes(self, path: str) -> int:
        """What an ordinary user may still write on the file system of `path`."""
        stat = os.statvfs(path)
        return stat.f_bavail * stat.f_frsize
