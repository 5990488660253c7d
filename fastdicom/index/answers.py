"""The answers to one query, as they come."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator
from typing import Self

from fastdicom.errors import Unavailable
from fastdicom.index.walk import Walk

log = logging.getLogger(__name__)


class Answers(Iterator[bytes | None]):
    """Encoded identifiers, and None now and then while nothing matches.

    The snapshot begins with the first `next` and ends with the last, with `close`, or with the object.
    """

    def __init__(self, walk: Walk, limit: int | None = None) -> None:
        self._walk = walk
        self._limit = limit
        self._steps = self._run()
        self.count = 0

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes | None:
        return next(self._steps)

    def close(self) -> None:
        """The rest is not wanted."""
        self._steps.close()

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
            for answer in self._walk.answers():
                if answer is not None:
                    if self.count == self._limit:
                        raise Unavailable(f"more than {self._limit} matches: ask more precisely")
                    self.count += 1
                yield answer
        finally:
            if self.files_read:
                log.info("%d answers took %d files to read", self.count, self.files_read)
