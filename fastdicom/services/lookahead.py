"""Instances that are prepared while the ones before them are on their way."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Protocol

from fastdicom.dataset.record import StoredEntry
from fastdicom.services.ports import Buffer


class Outgoing(Protocol):
    """A Data Set as it goes out, in pieces, once.

    sop_instance_uid: a new one where conversion made another instance of it, else None. length: of all
    pieces, None where it is not known.
    """

    transfer_syntax_uid: str
    sop_instance_uid: str | None
    length: int | None

    def __iter__(self) -> Iterator[Buffer]: ...

    def release(self) -> None:
        """Nobody looks at the pieces any more."""


class Ahead(Protocol):
    """Something that another thread prepares."""

    def result(self) -> Outgoing:
        """Wait for it. Raises what went wrong with it."""

    def close(self) -> None:
        """It was sent, or is not wanted: the next one may take its room."""


def upcoming(
    entries: Iterable[StoredEntry], start: Callable[[StoredEntry], Ahead | None], depth: int
) -> Generator[tuple[StoredEntry, Ahead | None], None, None]:
    """The entries in order, each with what was started for it; up to `depth` of them are started ahead.

    start: gives None for what needs no preparation, or when there is no room. What was given is closed when
    the next one is asked for, and all that was started when the iteration ends.
    """
    source = iter(entries)
    window: deque[tuple[StoredEntry, Ahead | None]] = deque()
    try:
        while True:
            while len(window) < depth and (entry := next(source, None)) is not None:
                window.append((entry, start(entry)))
            if not window:
                return
            entry, ahead = window[0]
            if ahead is None:
                window[0] = (entry, start(entry))  # there may be room by now
            yield window[0]
            _close(window.popleft()[1])
    finally:
        for _, ahead in window:
            _close(ahead)


def _close(ahead: Ahead | None) -> None:
    if ahead is not None:
        ahead.close()
