"""Memory of native frames, used again.

A frame of half a megabyte that is allocated and freed for each instance has its pages mapped, cleared and
unmapped each time, under a lock that all threads of the process share.
"""

from __future__ import annotations

import threading
from typing import Final

HELD_MAX: Final = 32 << 20
"""Bytes that wait for their next use."""


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

    def take(self, length: int) -> bytearray:
        """A buffer of exactly `length` bytes, whatever they are."""
        with self._lock:
            for index in range(len(self._idle) - 1, -1, -1):
                if len(self._idle[index]) == length:
                    return self._idle.pop(index)
        return bytearray(length)

    def give(self, buffer: bytearray) -> None:
        """Nobody looks at `buffer` any more; the ones that wait longest make room for it."""
        with self._lock:
            self._idle.append(buffer)
            while self._idle and sum(map(len, self._idle)) > self._held_max:
                del self._idle[0]


class Lease:
    """A buffer that is lent when it is needed, and given back once."""

    def __init__(self, buffers: FrameBuffers, length: int) -> None:
        self._buffers = buffers
        self._length = length
        self._lent: bytearray | None = None

    def take(self) -> bytearray:
        """Lend it."""
        self._lent = self._buffers.take(self._length)
        return self._lent

    def end(self) -> None:
        """Give it back."""
        lent, self._lent = self._lent, None
        if lent is not None:
            self._buffers.give(lent)
