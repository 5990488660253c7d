"""Which series somebody reads: a C-MOVE, a C-GET, an export. Retention leaves their studies alone."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from weakref import WeakSet

from fastdicom.index.entries import Selection


class InUse:
    """The selections that are alive. One is in use until whoever asked for it has let it go."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._selecting = 0
        self._selections: WeakSet[Selection] = WeakSet()

    @contextmanager
    def selecting(self) -> Iterator[None]:
        """Meanwhile everything is in use: the caller looks for instances, and will `add` them."""
        with self._lock:
            self._selecting += 1
        try:
            yield
        finally:
            with self._lock:
                self._selecting -= 1

    def add(self, selection: Selection) -> None:
        """These instances are in use now. Within `selecting`."""
        with self._lock:
            self._selections.add(selection)

    @contextmanager
    def settled(self) -> Iterator[Callable[[Iterable[int]], bool]]:
        """Gives a function that tells whether nobody uses any of these series.

        While the caller is inside nobody begins to.
        """
        with self._lock:
            used: set[int] = set()
            for selection in list(self._selections):
                used |= selection.series
            yield lambda series: not self._selecting and used.isdisjoint(series)
