"""One node to an archive: two would both delete by its rules, both recover it and both tell its status.

The serving engine holds a lock on the archive's folder; the kernel takes it back however the process ends.
Who only reads or writes beside the node (import, find, export, verify …) needs no such lock.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fastdicom.archive_folder import make_folder
from fastdicom.errors import UsageError

FILE_NAME = "node.pid"  # who holds it, for those who do not get it: `1234 serving`
GRACE_S = 2.0  # a process that was killed may take a moment to be gone
_LOOK_S = 0.1
_SERVING, _STOPPING = "serving", "stopping"


class NodeLock:
    """The right to serve an archive, held until `release`. See `take`."""

    def __init__(self, fd: int, archive: Path) -> None:
        self._fd = fd
        self._note = archive / FILE_NAME
        self._tell(_SERVING)

    @classmethod
    def take(cls, archive: Path, stop_s: float, progress: Callable[[], object] = lambda: None) -> NodeLock:
        """Take it, once a node that is about to stop has let it go. Makes the folder when there is none.

        stop_s: how long that one may take for its stop. progress: called again and again meanwhile; what it
        raises ends the wait. Raises UsageError when another node serves the archive and goes on.
        """
        make_folder(archive)
        fd = os.open(archive, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _wait(fd, archive, stop_s, progress)
        except BaseException:
            os.close(fd)
            raise
        return cls(fd, archive)

    @contextmanager
    def starting(self) -> Iterator[None]:
        """Around the start of the node: who fails lets it go."""
        try:
            yield
        except BaseException:
            self.release()
            raise

    @contextmanager
    def ending(self) -> Iterator[None]:
        """Around the stop of the node: who wants the archive waits from now on, and has it afterwards."""
        self._tell(_STOPPING)
        try:
            yield
        finally:
            self.release()

    def release(self) -> None:
        """Somebody else may serve the archive."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            fcntl.flock(fd, fcntl.LOCK_UN)  # for processes that were forked meanwhile, too
            os.close(fd)

    def _tell(self, state: str) -> None:
        with suppress(OSError):  # a full disk: the lock counts, only the others' message is poorer
            fresh = self._note.with_suffix(".new")
            fresh.write_text(f"{os.getpid()} {state}", "ascii")
            os.replace(fresh, self._note)


def _wait(fd: int, archive: Path, stop_s: float, progress: Callable[[], object]) -> None:
    began = time.monotonic()
    while not _locked(fd):
        holder, state = _holder(archive)
        patience_s = GRACE_S + (stop_s if state == _STOPPING else 0.0)
        if time.monotonic() - began >= patience_s:
            raise UsageError(f"{archive}: {holder} serves this archive already; a second node needs its own")
        progress()
        time.sleep(_LOOK_S)


def _holder(archive: Path) -> tuple[str, str]:
    """Who it is, and whether it serves or stops."""
    try:
        process, _, state = (archive / FILE_NAME).read_text("ascii").partition(" ")
    except (OSError, ValueError):
        process, state = "", ""
    return f"process {process}" if process.isdigit() else "another process", state


def _locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
