"""Audit messages that wait on disk: for a receiver that is away, for the next start, for the node that runs.

A folder of segments, each a stream of framed messages, oldest name first. A process writes segments of its
own (`.part` while it does); the node sends those of every process, so `fastdicom delete` reports through it.
A segment goes when all of it was sent: after a crash in between some messages are sent twice, none is lost.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable
from pathlib import Path

from fastdicom.audit.syslog import framed, frames

log = logging.getLogger(__name__)

SEGMENT = ".spool"
PART = ".part"
SEGMENT_LENGTH_MAX = 1 << 20


class Spool:
    """A folder of waiting messages, for one thread; other processes may write too. length_max: in bytes."""

    def __init__(self, folder: Path, length_max: int) -> None:
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        self._folder = folder
        self._length_max = length_max
        self._fd = -1
        self._part = folder
        self._written = 0
        self._number = 0
        self.length = sum(_length(path) for path in self._paths())

    def put(self, messages: Iterable[bytes]) -> int:
        """Keep `messages`, the earlier ones first; returns how many found no room or could not be written."""
        return sum(not self._put(framed(message)) for message in messages)

    def _put(self, data: bytes) -> bool:
        if self.length + len(data) > self._length_max:
            return False
        try:
            if self._fd < 0:
                self._begin()
            _write(self._fd, data)
            self.length += len(data)
            self._written += len(data)
            if self._written >= SEGMENT_LENGTH_MAX:
                self.seal()
        except OSError as error:
            log.error("cannot spool an audit message: %s", error)
            return False
        return True

    def seal(self) -> None:
        """What was put is on stable storage and can be taken."""
        if self._fd < 0:
            return
        fd, self._fd = self._fd, -1
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
        os.rename(self._part, self._part.with_suffix(SEGMENT))

    def oldest(self) -> tuple[Path, list[bytes]] | None:
        """The messages that have waited longest, for `forget` once they are sent. Raises OSError."""
        self.seal()
        for path in self._paths():
            if path.suffix == SEGMENT:
                return path, list(frames(path.read_bytes()))
        return None

    def forget(self, path: Path) -> None:
        """A segment is sent."""
        path.unlink(missing_ok=True)
        self.length = sum(_length(path) for path in self._paths())

    def adopt(self) -> None:
        """Take over what processes that are gone did not finish."""
        for path in self._paths():
            process = path.stem.rpartition("-")[2]
            if path.suffix == PART and path != self._part and not _lives(process):
                os.rename(path, path.with_suffix(SEGMENT))
        self.length = sum(_length(path) for path in self._paths())

    def _begin(self) -> None:
        self._number += 1
        name = f"{time.time_ns():020d}-{self._number}-{os.getpid()}{PART}"
        self._part = self._folder / name
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._fd = os.open(self._part, flags, 0o640)
        self._written = 0

    def _paths(self) -> list[Path]:
        return sorted(path for path in self._folder.iterdir() if path.suffix in (SEGMENT, PART))


def _write(fd: int, data: bytes) -> None:
    """All of `data`, or nothing that a reader would take for a message."""
    start = os.lseek(fd, 0, os.SEEK_CUR)
    try:
        while data:
            data = data[os.write(fd, data) :]
    except OSError:
        os.ftruncate(fd, start)
        os.lseek(fd, start, os.SEEK_SET)
        raise


def _length(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _lives(process: str) -> bool:
    return process.isdigit() and int(process) != os.getpid() and Path(f"/proc/{process}").exists()
