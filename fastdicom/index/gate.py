"""Who may use the memory map: many readers, or one that changes its size.

LMDB's map must not be resized while a transaction of this process is open. Readers and writers pass the
gate shared; growing the map passes it alone.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_ASK_AGAIN_S = 0.005


class Gate:
    """A lock that many hold at once or one holds alone; who wants it alone goes first."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._inside = 0
        self._waiting = 0
        self._alone: int | None = None

    @property
    def wanted(self) -> bool:
        """True while somebody waits to have it alone: who is inside for long should step out soon."""
        return self._waiting > 0

    def enter(self) -> None:
        """Pass shared; waits while somebody has or wants it alone."""
        with self._condition:
            while self._waiting or self._alone is not None:
                self._condition.wait()
            self._inside += 1

    def leave(self) -> None:
        """End what `enter` began; any thread may."""
        with self._condition:
            self._inside -= 1
            if not self._inside:
                self._condition.notify_all()

    @contextmanager
    def shared(self) -> Iterator[None]:
        """`enter` and `leave`."""
        self.enter()
        try:
            yield
        finally:
            self.leave()

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Let nobody else in meanwhile; who is inside stays."""
        with self._condition:
            self._waiting += 1
        try:
            yield
        finally:
            with self._condition:
                self._waiting -= 1
                self._condition.notify_all()

    @contextmanager
    def alone(self, timeout_s: float, make_way: Callable[[], None] = lambda: None) -> Iterator[bool]:
        """Pass alone; gives False (and nothing is locked) when others stayed inside for `timeout_s`.

        make_way: called now and then while we wait; asks who is inside but idle to leave.
        """
        entered = self._enter_alone(timeout_s, make_way)
        try:
            yield entered
        finally:
            if entered:
                with self._condition:
                    self._alone = None
                    self._condition.notify_all()

    def _enter_alone(self, timeout_s: float, make_way: Callable[[], None]) -> bool:
        deadline = time.monotonic() + timeout_s
        with self._condition:
            self._waiting += 1
            try:
                while self._inside or self._alone is not None:
                    self._condition.release()  # who makes way passes the gate
                    try:
                        make_way()
                    finally:
                        self._condition.acquire()
                    left = deadline - time.monotonic()
                    if (self._inside or self._alone is not None) and left <= 0:
                        return False
                    if self._inside or self._alone is not None:
                        self._condition.wait(min(left, _ASK_AGAIN_S))
                self._alone = threading.get_ident()
                return True
            finally:
                self._waiting -= 1
                self._condition.notify_all()
