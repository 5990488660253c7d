"""A disk whose n-th call of one kind fails, for promise 1."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from pathlib import Path

from fastdicom.archive.disk import Disk

STEPS = ("create", "write", "write_at", "sync_data", "sync_folder", "unlink", "open", "read", "remove")


class FailingDisk(Disk):
    """Plain system calls, but those that `fail` asked for raise OSError before anything happens."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self._fail: dict[str, int] = {}
        self.short_writes = False
        self.free = 1 << 40

    def fail(self, step: str, times: int = 1) -> None:
        """The next `times` calls of `step` fail."""
        self._fail[step] = times

    def _note(self, step: str) -> None:
        self.calls.append(step)
        if self._fail.get(step, 0) > 0:
            self._fail[step] -= 1
            raise OSError(errno.EIO, f"{step} made to fail")

    def create(self, folder_fd: int, name: str) -> int:
        self._note("create")
        return super().create(folder_fd, name)

    def write(self, fd: int, pieces: Sequence[memoryview | bytes]) -> int:
        self._note("write")
        if self.short_writes:
            first = next((piece for piece in pieces if len(piece)), b"")
            return super().write(fd, [first[: max(1, len(first) // 2)]])
        return super().write(fd, pieces)

    def sync_data(self, fd: int) -> None:
        self._note("sync_data")
        super().sync_data(fd)

    def sync_and_close(self, fd: int, length: int) -> None:
        try:
            self.sync_data(fd)
        finally:
            super().close(fd)

    def sync_folder(self, fd: int) -> None:
        self._note("sync_folder")
        super().sync_folder(fd)

    def write_at(self, fd: int, data: bytes, offset: int) -> int:
        self._note("write_at")
        return super().write_at(fd, data[:1] if self.short_writes else data, offset)

    def unlink(self, folder_fd: int, name: str) -> None:
        self._note("unlink")
        super().unlink(folder_fd, name)

    def open(self, path: str) -> int:
        self._note("open")
        return super().open(path)

    def read_at(self, fd: int, length: int, offset: int) -> bytes:
        self._note("read")
        return super().read_at(fd, length, offset)

    def read_into(self, fd: int, space: memoryview, offset: int) -> int:
        self._note("read")
        return super().read_into(fd, space, offset)

    def remove(self, path: Path) -> None:
        self._note("remove")
        super().remove(path)

    def free_bytes(self, path: str) -> int:
        return self.free
