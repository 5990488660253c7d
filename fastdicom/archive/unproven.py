"""Files whose rows are committed while they themselves are still on their way to the disk.

A small file and its row are flushed side by side, which takes as long as the slower of the two. A power cut
in between may leave the row of a file that is not whole. Start-up finds it by a mark in the index: for each
block the name from which on files are to be looked at. The mark moves on every MARK_EVERY files, in a
transaction that is written anyway, so that looking takes moments.
"""

from __future__ import annotations

import threading
from collections.abc import Collection

MARK_EVERY = 64
UNPROVEN = "unproven/"  # a note of the index: this and the block's name -> the first file's name


class Unproven:
    """The paths of this process. A path is `block/name`, and names of a block ascend."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._paths: set[str] = set()
        self._lost: set[str] = set()  # whose flush failed, and whose row could not be taken back either
        self._marks: dict[str, str] = {}  # by block, as the index has them

    def add(self, path: str) -> None:
        """Its row may be committed from now on."""
        with self._condition:
            self._paths.add(path)

    def settle(self, path: str, *, lost: bool = False) -> None:
        """It is durable, or has no row; lost: it may have a row and is not."""
        with self._condition:
            if lost:
                self._lost.add(path)
            else:
                self._paths.discard(path)
            self._condition.notify_all()

    def wait(self, path: str) -> bool:
        """Until a file is durable; False when it will not be."""
        if path not in self._paths:
            return True
        with self._condition:
            self._condition.wait_for(lambda: path not in self._paths or path in self._lost)
            return path not in self._lost

    def new_marks(self) -> dict[str, bytes]:
        """Notes that the transaction at hand has to write, by name."""
        notes = {}
        with self._condition:
            for block, first in _first_names(self._paths).items():
                mark = self._marks.get(block)
                if mark is None or _number(first) >= _number(mark) + MARK_EVERY:
                    self._marks[block] = first
                    notes[UNPROVEN + block] = first.encode("ascii")
        return notes

    def forget_marks(self) -> None:
        """The index was opened anew: it may not have those that were written last."""
        with self._condition:
            self._marks.clear()


def _first_names(paths: Collection[str]) -> dict[str, str]:
    first: dict[str, str] = {}
    for path in paths:
        block, _, name = path.partition("/")
        if block not in first or _number(name) < _number(first[block]):
            first[block] = name
    return first


def _number(name: str) -> int:
    return int(name.partition(".")[0], 16)
