"""Which file an instance lives in. No name here comes from a peer.

`objects/<block>/<number>.dcm`, both counted by us. mkdir is exclusive, so each process that writes
makes blocks of its own, and it holds a lock on the block that it fills: start-up of another process
leaves those alone.

A file has its name from the start; whether it is whole says the seal in it, not its name. Where names have
to survive a power cut, they are made some files ahead and synced together: one flush of the folder for up to
SPARES_MAX instances instead of one for each, and the file's own flush does not have to write its folder.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from fastdicom.archive.disk import Disk

BLOCK_FILES_MAX = 4096
SPARES_MAX = 32  # empty files made ahead; as many as the block has, so that a small archive has few
PART = ".part"  # of unfinished files in archives that were written before files were sealed
WHOLE = ".dcm"


class Block:
    """One folder of files, locked while this process fills it.

    clean: every file that was begun in it has a row or is gone; start-up need not look at it again.
    """

    def __init__(self, root: Path, name: str, closed: Callable[[Block], None] = lambda block: None) -> None:
        self.name = name
        self.fd = os.open(root / name, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self.used = 0
        self.clean = True
        self._closed = closed
        self._users = 1  # the layout itself, while files are still named in it
        self._lock = threading.Lock()

    def try_lock(self) -> bool:
        """True when no other process is filling this block; the lock then lasts until `close`."""
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def hold(self) -> None:
        """Another file is open in this block."""
        with self._lock:
            self._users += 1

    def release(self) -> None:
        """A file is done with; the last one closes a block that is no longer filled."""
        with self._lock:
            self._users -= 1
            if self._users:
                return
        os.close(self.fd)
        self._closed(self)


class Layout:
    """Hands out fresh places for files. Safe to use from several threads.

    root: the objects folder; it exists. sync: names survive a power cut.
    """

    def __init__(self, root: Path, disk: Disk, *, sync: bool = True) -> None:
        self.root = root
        self._disk = disk
        self._sync = sync
        self._spares: deque[tuple[str, int]] = deque()  # name and descriptor, in the current block
        self._lock = threading.Lock()
        self._block: Block | None = None
        self._root_fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._finished: list[str] = []

    def place(self) -> tuple[Block, str, int]:
        """A block (held for the caller), an empty file's name in it, and its descriptor. Raises OSError."""
        with self._lock:
            if not self._spares:
                if self._block is None or self._block.used >= BLOCK_FILES_MAX:
                    self._next_block()
                assert self._block is not None
                self._make_spares(self._block)
            block = self._block
            assert block is not None
            name, fd = self._spares.popleft()
            block.hold()
            return block, name, fd

    def take_finished(self) -> list[str]:
        """Blocks that are full (or left for good) and clean, since the last call."""
        finished, self._finished = self._finished, []
        return finished

    def close(self) -> None:
        """Give the lock on the current block back."""
        with self._lock:
            if self._block is not None:
                self._drop_spares(self._block)
                self._block.release()
                self._block = None
            if self._root_fd >= 0:
                os.close(self._root_fd)
                self._root_fd = -1

    def _make_spares(self, block: Block) -> None:
        """Empty files whose names are durable when this returns. On failure there are none."""
        count = min(SPARES_MAX, max(1, block.used), BLOCK_FILES_MAX - block.used) if self._sync else 1
        try:
            for _ in range(count):
                block.used += 1
                name = f"{block.used:04x}{WHOLE}"
                self._spares.append((name, self._disk.create(block.fd, name)))
            if self._sync:
                self._disk.sync_folder(block.fd)
        except BaseException:
            self._drop_spares(block)
            raise

    def _drop_spares(self, block: Block) -> None:
        while self._spares:
            name, fd = self._spares.popleft()
            with suppress(OSError):  # it is empty: nothing can be lost with it
                self._disk.close(fd)
            try:
                self._disk.unlink(block.fd, name)
            except OSError:
                block.clean = False  # the next start removes it

    def _next_block(self) -> None:
        if self._block is not None:
            self._block.release()
            self._block = None
        number = max((int(name, 16) for name in block_names(self.root)), default=0)
        while True:
            number += 1
            name = f"{number:08x}"
            try:
                os.mkdir(name, 0o750, dir_fd=self._root_fd)
            except FileExistsError:
                continue
            block = Block(self.root, name, self._block_closed)
            if block.try_lock():
                break
            block.clean = False  # a start-up of another process looks at it just now
            block.release()
        try:
            self._disk.sync_folder(self._root_fd)  # the block's own name has to survive a power cut too
        except OSError:
            block.clean = False
            block.release()
            raise
        self._block = block

    def _block_closed(self, block: Block) -> None:
        if block.clean:
            self._finished.append(block.name)


def block_names(root: Path) -> list[str]:
    """The names of all blocks, in ascending order. Other entries are not ours and are left alone."""
    hexadecimal = set("0123456789abcdef")
    return sorted(name for name in os.listdir(root) if len(name) == 8 and set(name) <= hexadecimal)
