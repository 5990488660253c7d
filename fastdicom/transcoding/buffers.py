"""Memory of native frames, used again.

A frame of half a megabyte that is allocated and freed for each instance has its pages mapped, cleared and
unmapped each time, under a lock that all threads of the process share.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Final, Protocol

HELD_MAX: Final = 32 << 20
"""Bytes that wait for their next use."""
AHEAD_MAX: Final = 32 << 20
"""Bytes of frames that are decoded before it is their turn, of all conversions together."""


class UnderWay(Protocol):
    """A frame that another thread decodes."""

    def stop(self) -> None:
        """Nobody wants it any more: when this returns nobody writes to its buffer."""


class FrameBuffers:
    """Buffers to decode into. From any thread.

    >>> from fastdicom.transcoding.buffers import FrameBuffers
    >>> buffers = FrameBuffers()
    >>> one = buffers.take(16)
    >>> buffers.give(one)
    >>> buffers.take(16) is one
    True
    """

    def __init__(self, held_max: int = HELD_MAX) -> None:
        self._held_max = held_max
        self._idle: list[bytearray] = []
        self._lock = threading.Lock()
        self._forgotten: SimpleQueue[tuple[bytearray, int]] = SimpleQueue()
        self._ahead = 0

    @property
    def ahead(self) -> int:
        """Bytes of the buffers that `take_ahead` gave and that are needed still."""
        self._collect()
        return self._ahead

    def take(self, length: int) -> bytearray:
        """A buffer of exactly `length` bytes, whatever they are."""
        self._collect()
        with self._lock:
            for index in range(len(self._idle) - 1, -1, -1):
                if len(self._idle[index]) == length:
                    return self._idle.pop(index)
        return bytearray(length)

    def take_ahead(self, length: int) -> bytearray | None:
        """A buffer for a frame before its turn, until `ahead_ended`; None when there is no room now."""
        self._collect()
        with self._lock:
            if self._ahead + length > AHEAD_MAX:
                return None
            self._ahead += length
        try:
            return self.take(length)
        except MemoryError:
            self.ahead_ended(length)
            raise

    def ahead_ended(self, length: int) -> None:
        """What `take_ahead` gave is not needed any more."""
        with self._lock:
            self._ahead -= length

    def give(self, buffer: bytearray) -> None:
        """Nobody looks at `buffer` any more; the ones that wait longest make room for it."""
        with self._lock:
            self._idle.append(buffer)
            while self._idle and sum(map(len, self._idle)) > self._held_max:
                del self._idle[0]

    def forget(self, buffer: bytearray, ahead: int) -> None:
        """As `give` and `ahead_ended`, at the next occasion: for a destructor, which takes no lock.

        Garbage is collected on any thread at any moment, also while that thread has the lock.
        """
        self._forgotten.put((buffer, ahead))

    def _collect(self) -> None:
        while not self._forgotten.empty():
            try:
                buffer, ahead = self._forgotten.get_nowait()
            except Empty:
                return  # another thread was faster
            self.ahead_ended(ahead)
            self.give(buffer)


class Lease:
    """A buffer that is lent when it is needed, or before; given back by `end`, or with the lease."""

    def __init__(self, buffers: FrameBuffers, length: int) -> None:
        self._buffers = buffers
        self._length = length
        self._lent: bytearray | None = None
        self._ahead = False
        self._under_way: UnderWay | None = None

    def begin(self, begin: Callable[[bytearray], UnderWay | None]) -> None:
        """Have the buffer filled by another thread, if there is room and `begin` finds it worth doing."""
        self._lent = self._buffers.take_ahead(self._length)
        if self._lent is None:
            return
        self._ahead = True
        try:
            self._under_way = begin(self._lent)
        except BaseException:
            self.end()
            raise
        if self._under_way is None:
            self.end()

    def take(self) -> bytearray:
        """Lend it."""
        if self._lent is None:
            self._lent = self._buffers.take(self._length)
        return self._lent

    def end(self) -> None:
        """Give it back."""
        if self._under_way is not None:
            self._under_way.stop()
        if self._ahead:
            self._buffers.ahead_ended(self._length)
        lent, self._lent = self._lent, None
        if lent is not None:
            self._buffers.give(lent)
        self._under_way, self._ahead = None, False

    def __del__(self) -> None:
        """An instance that was begun with and not wanted any more."""
        if self._under_way is not None:
            self._under_way.stop()
        if self._lent is not None:
            self._buffers.forget(self._lent, self._length if self._ahead else 0)
