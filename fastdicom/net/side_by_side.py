"""Several iterators at once, each on a thread of its own, for one client that may lose interest.

A retrieve over several associations: the client's connection is looked at by one thread only, the one that
serves it; the others learn from a descriptor that becomes readable.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextvars import copy_context
from queue import Empty, SimpleQueue
from typing import Generic, Protocol, TypeVar

from fastdicom.errors import ConnectionLost

T = TypeVar("T")

_PAUSE_S = 0.02  # between two looks at the client while nothing happens


class Client(Protocol):
    """Who all of it is for."""

    def wanted(self) -> bool:
        """False when it wants no more. Raises ConnectionLost when it is gone."""

    def moved(self) -> None:
        """Something came or went on its behalf. From any thread."""


class _End:
    """An iterator came to its end, or to an error."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class SideBySide(Generic[T]):
    """One use: hand `self` to the iterators as what they watch, then iterate over `run`."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._stopped = False
        self._event = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    def wanted(self) -> bool:
        """For the iterators' threads: go on?"""
        return not self._stopped

    def fileno(self) -> int:
        """For the iterators' threads: readable once nothing more is wanted."""
        return self._event

    def buffered(self) -> bool:
        """For the iterators' threads: the descriptor says everything."""
        return False

    def check(self) -> None:
        """For the iterators' threads: the descriptor is readable."""
        raise ConnectionLost("cancelled by the client")

    def moved(self) -> None:
        """For the iterators' threads: something came or went."""
        self._client.moved()

    def run(self, iterators: Sequence[Iterator[T]]) -> Iterator[T]:
        """The items of all of them as they come. Raises what an iterator or the client raises."""
        arrivals: SimpleQueue[T | _End] = SimpleQueue()
        threads = [
            threading.Thread(
                target=copy_context().run,  # their lines of the log are about the client's association
                args=(_drain, iterator, arrivals),
                name="fastdicom-send",
                daemon=True,
            )
            for iterator in iterators
        ]
        for thread in threads:
            thread.start()
        try:
            yield from self._items(arrivals, len(threads))
        finally:
            self._stop()
            for thread in threads:
                thread.join()
            os.close(self._event)

    def _items(self, arrivals: SimpleQueue[T | _End], running: int) -> Iterator[T]:
        while running:
            try:
                item = arrivals.get(timeout=_PAUSE_S)
            except Empty:
                if not self._client.wanted():
                    self._stop()
                continue
            if not isinstance(item, _End):
                yield item
            elif item.error is not None:
                raise item.error
            else:
                running -= 1
            if not self._client.wanted():
                self._stop()

    def _stop(self) -> None:
        if not self._stopped:
            self._stopped = True
            os.eventfd_write(self._event, 1)


def _drain(iterator: Iterator[T], arrivals: SimpleQueue[T | _End]) -> None:
    try:
        for item in iterator:
            arrivals.put(item)
    except BaseException as error:  # whoever iterates raises it
        arrivals.put(_End(error))
    else:
        arrivals.put(_End(None))
