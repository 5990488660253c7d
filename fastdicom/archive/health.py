"""A disk that failed to make something durable is not trusted until it has shown that it can again.

The system reports a failed write-back once and then forgets it: whoever asks again gets a success that means
nothing. So after a failed fsync nothing is acknowledged and nothing is taken until a fresh file was written,
synced and named, and its folder synced. The file whose sync failed is dropped and never synced again; the
index is read anew from the disk by who owns it (`keeper`).
"""

from __future__ import annotations

import errno
import logging
import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from fastdicom.archive.disk import Disk
from fastdicom.errors import Unavailable

log = logging.getLogger(__name__)

_PROBE = ".probe"
_PROBE_LENGTH = 4096


class Health:
    """Whether the disk under a folder is trusted."""

    def __init__(self, root: Path, disk: Disk) -> None:
        self._root = root
        self._disk = disk
        self._lock = threading.Lock()
        self.fault = ""
        """What failed; "" while the disk is trusted."""
        self.faults = 0

    def failed(self, error: OSError) -> None:
        """Something could not be made durable."""
        self.faults += 1
        if not self.fault:
            log.error("the disk failed and is not trusted until it works again: %s", error)
        self.fault = error.strerror or str(error)

    def check(self) -> None:
        """Returns at once while the disk is trusted, else tries it. Raises Unavailable if it still fails."""
        if not self.fault:
            return
        with self._lock:
            if not self.fault:
                return
            try:
                self._probe()
            except OSError as error:
                raise Unavailable(f"the disk fails: {error.strerror}") from error
            self.fault = ""
            log.warning("the disk works again")

    def _probe(self) -> None:
        folder = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        name = f"{_PROBE}{os.getpid()}"
        try:
            with suppress(FileNotFoundError):
                self._disk.unlink(folder, name)
            fd = self._disk.create(folder, name)
            try:
                if self._disk.write(fd, [bytes(_PROBE_LENGTH)]) != _PROBE_LENGTH:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                self._disk.sync_data(fd)
                self._disk.sync_folder(folder)
            finally:
                self._disk.close(fd)
                self._disk.unlink(folder, name)
        finally:
            os.close(folder)


class WatchedDisk(Disk):
    """Another disk, whose failed syncs its `health` hears of."""

    def __init__(self, disk: Disk, root: Path) -> None:
        self._disk = disk
        self.health = Health(root, disk)

    def tell_syncs(self, told: Callable[[float], None]) -> None:
        self._disk.tell_syncs(told)

    def create(self, folder_fd: int, name: str) -> int:
        return self._disk.create(folder_fd, name)

    def write(self, fd: int, pieces: Sequence[memoryview | bytes]) -> int:
        return self._disk.write(fd, pieces)

    def write_at(self, fd: int, data: bytes, offset: int) -> int:
        return self._disk.write_at(fd, data, offset)

    def read(self, folder_fd: int, name: str) -> memoryview:
        return self._disk.read(folder_fd, name)

    def sync_data(self, fd: int) -> None:
        self._watch(partial(self._disk.sync_data, fd))

    def sync_and_close(self, fd: int, length: int) -> None:
        self._watch(partial(self._disk.sync_and_close, fd, length))

    def sync_folder(self, fd: int) -> None:
        self._watch(partial(self._disk.sync_folder, fd))

    def _watch(self, sync: Callable[[], None]) -> None:
        try:
            sync()
        except OSError as error:
            self.health.failed(error)
            raise

    def unlink(self, folder_fd: int, name: str) -> None:
        self._disk.unlink(folder_fd, name)

    def close(self, fd: int) -> None:
        self._disk.close(fd)

    def open(self, path: str) -> int:
        return self._disk.open(path)

    def read_at(self, fd: int, length: int, offset: int) -> bytes:
        return self._disk.read_at(fd, length, offset)

    def read_into(self, fd: int, space: memoryview, offset: int) -> int:
        return self._disk.read_into(fd, space, offset)

    def remove(self, path: Path) -> None:
        self._disk.remove(path)

    def free_bytes(self, path: str) -> int:
        return self._disk.free_bytes(path)
