"""What a conversion gives: pieces, and what has to be known about them before they go out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from fastdicom.transcoding.buffers import Lease
from fastdicom.transcoding.spool import Buffer, spooled

if TYPE_CHECKING:
    from fastdicom.transcoding.objects import Options


class Converted:
    """The pieces of a converted Data Set, once.

    length: of all of them, None where it is not known. sop_instance_uid: a new one where the result is
    another instance (lossy compression), else None. settled: nothing can fail any more while iterating.
    changed_pixels: they were coded or decoded.
    """

    def __init__(
        self,
        transfer_syntax_uid: str,
        pieces: Iterable[Buffer],
        length: int | None = None,
        sop_instance_uid: str | None = None,
        settled: bool = False,
        changed_pixels: bool = False,
        lease: Lease | None = None,
    ) -> None:
        self.transfer_syntax_uid = transfer_syntax_uid
        self.length = length
        self.sop_instance_uid = sop_instance_uid
        self.settled = settled
        self.changed_pixels = changed_pixels
        self._pieces = pieces
        self._lease = lease

    def __iter__(self) -> Iterator[Buffer]:
        return iter(self._pieces)

    def release(self) -> None:
        """Nobody looks at the pieces any more: their memory may be used again."""
        self._pieces = ()
        if self._lease is not None:
            self._lease.end()

    def settle(self, options: Options) -> Converted:
        """Make everything, in memory or in a file: what fails, fails here."""
        if self.settled:
            return self
        if self.length is not None and self.length <= options.memory_max:
            self._pieces = tuple(self._pieces)
        else:
            spool = spooled(self, options.folder, options.memory_max, options.min_free)
            self._pieces, self.length = spool, spool.length
        self.settled = True
        return self
