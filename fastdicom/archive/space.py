"""The room that is left on the file system: whether another object may come in.

Below `min_free` nothing does, until a quarter more is free: a node at the edge would else say yes and no
in turn. An object announces no length, so each that is under way is expected to become as large as the
largest of the last ones; and one that outgrows this is stopped when half of `min_free` is gone, because the
index, the log and the system need room too.
"""

from __future__ import annotations

import errno
import logging
import threading
import time
from collections import deque
from pathlib import Path
from typing import Protocol

from fastdicom.archive.disk import Disk
from fastdicom.errors import Unavailable

log = logging.getLogger(__name__)

LOOK_EVERY = 16 << 20  # bytes of one object
_CHECK_S = 0.5
_REMEMBERED = 32  # sizes of objects


class OpenFile(Protocol):
    """A file that is being received."""

    size: int


class Space:
    """Watches the file system of a folder. Safe to use from several threads."""

    def __init__(self, root: Path, disk: Disk, min_free: int) -> None:
        self.min_free = min_free
        self.low = False
        """True from below `min_free` until a quarter more is free."""
        self._root = str(root)
        self._disk = disk
        self._lock = threading.Lock()
        self._left = 0
        self._checked = float("-inf")
        self._open: set[OpenFile] = set()
        self._sizes: deque[int] = deque(maxlen=_REMEMBERED)

    def admit(self) -> None:
        """Raises Unavailable when there is no room for another object.

        Asks the disk twice a second, and each time while it is too full: room that was made counts at once.
        """
        with self._lock:
            now = time.monotonic()
            if self.low or now - self._checked >= _CHECK_S:
                self._measure()
                self._checked = now
            if self.low:
                wanted = self.min_free + self._margin
                raise Unavailable(f"{self._left} bytes are free, {wanted} must be free")

    def look(self) -> None:
        """Ask the disk, so that the log says when it is too full although nobody stores."""
        with self._lock:
            self._measure()

    def check_floor(self) -> None:
        """For an object that grows and grows: raises OSError when half of `min_free` is gone."""
        if self._disk.free_bytes(self._root) < self.min_free // 2:
            raise OSError(errno.ENOSPC, "the disk is nearly full")

    def opened(self, file: OpenFile) -> None:
        """An object begins."""
        self._open.add(file)

    def closed(self, file: OpenFile) -> None:
        """An object is whole, or given up."""
        self._open.discard(file)
        self._sizes.append(file.size)

    @property
    def expected(self) -> int:
        """Bytes that the objects under way may still need."""
        largest = max(list(self._sizes), default=0)
        return sum(max(0, largest - file.size) for file in list(self._open))

    @property
    def _margin(self) -> int:
        return self.min_free // 4

    def _measure(self) -> None:
        try:
            free = self._disk.free_bytes(self._root)
        except OSError as error:
            raise Unavailable(f"cannot ask the disk: {error.strerror}") from error
        self._left = free - self.expected
        low = self._left < (self.min_free + self._margin if self.low else self.min_free)
        if low and not self.low:
            log.error(
                "%s: %d bytes are free, min_free is %d: C-STORE is refused until %d are free",
                self._root, self._left, self.min_free, self.min_free + self._margin,
            )  # fmt: skip
        elif self.low and not low:
            log.warning("%s: %d bytes are free again: C-STORE goes on", self._root, self._left)
        self.low = low
