"""Memory of native frames, used again.

A frame of half a megabyte that is allocated and freed for each instance has its pages mapped, cleared and
unmapped each time, under a lock that all threads of the process share.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
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
    """Buffers to decode into. From any thread. ahead: bytes of those that `take_ahead` gave.

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
        self.ahead = 0

    def take(self, length: int) -> bytearray:
        """A buffer of exactly `length` bytes, whatever they are."""
        with self._lock:
            for index in range(len(self._idle) - 1, -1, -1):
                if len(self._idle[index]) == length:
                    return self._idle.pop(index)
        return bytearray(length)

    def take_ahead(self, length: int) -> bytearray | None:
        """A buffer for a frame before its turn, until `ahead_ended`; None when there is no room now."""
        with self._lock:
            if self.ahead + length > AHEAD_MAX:
                return None
            self.ahead += length
        return self.take(length)

    def ahead_ended(self, length: int) -> None:
        """What `take_ahead` gave is not needed any more."""
        with self._lock:
            self.ahead -= length

    def give(self, buffer: bytearray) -> None:
        """Nobody looks at `buffer` any more; the ones that wait longest make room for it."""
        with self._lock:
            self._idle.append(buffer)
            while self._idle and sum(map(len, self._idle)) > self._held_max:
                del self._idle[0]


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
        self._under_way = begin(self._lent)
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
        self.end()  # an instance that was begun with and not wanted any more
