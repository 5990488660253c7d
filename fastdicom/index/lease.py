"""A read transaction for as long as somebody takes over a query, which may be hours.

LMDB's map cannot grow while a transaction of the process is open, and pages that one may look at are not used
again. So a lease gives its transaction up when the map has to grow, or after a number of writes, while nobody
is inside, and begins another when it is entered again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Protocol


class Transactions(Protocol):
    """The store, as far as a lease needs it."""

    @property
    def wanted(self) -> bool: ...
    def begin(self) -> Any: ...
    def end(self, transaction: Any) -> None: ...


class Lease:
    """Enter it for each step of a query. `transaction` is only good inside, and until `renewals` changes.

    before_parking: copies what still points into the transaction's pages.
    """

    def __init__(self, store: Transactions, before_parking: Callable[[], None]) -> None:
        self.transaction: Any = None
        self.renewals = 0
        self._store = store
        self._before_parking = before_parking
        self._lock = threading.RLock()
        self._closed = False

    def __enter__(self) -> Lease:
        self._lock.acquire()
        if self._store.wanted:
            self._park()
        if self.transaction is None and not self._closed:
            try:
                self.transaction = self._store.begin()
            except BaseException:
                self._lock.release()
                raise
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def close(self) -> None:
        """It is not needed any more."""
        with self._lock:
            self._closed = True
            transaction, self.transaction = self.transaction, None
            if transaction is not None:
                self._store.end(transaction)

    def park(self) -> None:
        """Give the transaction up, unless somebody is inside. From any thread."""
        if self._lock.acquire(blocking=False):
            try:
                self._park()
            finally:
                self._lock.release()

    def _park(self) -> None:
        if self.transaction is not None:
            self._before_parking()
            transaction, self.transaction = self.transaction, None
            self.renewals += 1
            self._store.end(transaction)
