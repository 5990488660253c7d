"""Bytes that all associations together may hold of one kind: above it, the next who wants more is refused."""

from __future__ import annotations

import threading

from fastdicom.errors import LimitReached


class Budget:
    """`total` bytes, 0 for no limit. what: for the Error Comment, such as "Data Sets being received"."""

    def __init__(self, total: int, what: str) -> None:
        self.total = total
        self.what = what
        self.used = 0
        self._lock = threading.Lock()

    def take(self, count: int) -> None:
        """Hold `count` bytes more. Raises LimitReached (A700H) when that is too much."""
        with self._lock:
            if self.total and self.used + count > self.total:
                raise LimitReached(f"{self.what}: more than {self.total} bytes in all")
            self.used += count

    def give(self, count: int) -> None:
        """Hold `count` bytes less."""
        with self._lock:
            self.used -= count
