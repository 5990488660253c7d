"""The answers to one query, as they come."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator
from contextlib import closing
from itertools import islice
from typing import Self

from fastdicom.errors import Unavailable
from fastdicom.index.walk import Walk

log = logging.getLogger(__name__)

_AT_ONCE_MAX = 32  # steps of the walk in one go: entering the lease for each would cost a third more


class Answers(Iterator[bytes | None]):
    """Encoded identifiers, and None now and then while nothing matches.

    The snapshot begins with the first `next` and ends with the last, with `close`, or with the object.
    """

    def __init__(self, walk: Walk, limit: int | None = None) -> None:
        self._walk = walk
        self._limit = limit
        self._held = True
        self._steps = self._run()
        self.count = 0

    def __iter__(self) -> Iterator[bytes | None]:
        return self._steps

    def __next__(self) -> bytes | None:
        return next(self._steps)

    def close(self) -> None:
        """The rest is not wanted."""
        self._steps.close()

    def unheld(self) -> Self:
        """The same, but no snapshot is held between two of them, however long whoever asks lets them lie.

        For who is not the process that writes, and so cannot be asked to give way: see `lease`.
        """
        self._held = False
        return self

    @property
    def walk(self) -> Walk:
        """How they are found."""
        return self._walk

    @property
    def files_read(self) -> int:
        """Files that were opened for attributes that the index does not have."""
        return self._walk.files_read

    def _run(self) -> Generator[bytes | None, None, None]:
        try:
            for chunk in self._chunks():
                for answer in chunk:
                    if answer is not None:
                        if self.count == self._limit:
                            raise Unavailable(f"more than {self._limit} matches: ask more precisely")
                        self.count += 1
                    yield answer
        finally:
            if self.files_read:
                log.info("%d answers took %d files to read", self.count, self.files_read)

    def _chunks(self) -> Iterator[list[bytes | None]]:
        """Steps of the walk: one at first, so that nobody waits for it, then more and more at once."""
        at_once = 1
        with closing(self._walk.answers()) as steps:
            while True:
                with self._walk.lease:
                    chunk = list(islice(steps, at_once))
                if not chunk:
                    return
                if not self._held:
                    self._walk.lease.park()
                yield chunk
                at_once = 1 if self._walk.reads_files else min(2 * at_once, _AT_ONCE_MAX)
