"""Background verification: every stored file is read again in time, slowly, and compared with its checksum.

What it finds damaged is marked (`ArchiveKeeper.found`) and stays where it is; what was marked and is whole
again loses its mark. The place is kept, so that restarts do not keep the last files from ever being read.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

from fastdicom.dataset.record import StoredEntry
from fastdicom.errors import FastdicomError
from fastdicom.keeper import ArchiveKeeper
from fastdicom.sections.retention import VerifyConfig
from fastdicom.wholeness import DatasetChecksum, fault_of, fault_of_error

log = logging.getLogger(__name__)

_POSITION, _FINISHED = "verify/position", "verify/finished"
_KEEP_EVERY_S = 60.0
_LOOK_EVERY_S = 60.0  # whether a round is due
_FILE_COSTS = 128 * 1024  # bytes: a small file is a seek, a thread that wakes and 200 us of CPU


class Stopped(Exception):
    """The node stops while a file is being read."""


class Scrub:
    """Rounds over all instances of an archive.

    rest: waits so many seconds; True when the node stops.
    """

    def __init__(
        self,
        keeper: ArchiveKeeper,
        settings: VerifyConfig,
        rest: Callable[[float], bool],
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.settings = settings
        self.checked = 0
        self.bytes = 0
        self._keeper = keeper
        self._rest = rest
        self._clock = clock
        notes = keeper.index.notes("verify/")
        self._position = notes.get(_POSITION, b"")
        self._finished = float(notes.get(_FINISHED, b"0") or 0)
        self._began_empty = not notes and not keeper.counts().instances
        if self._began_empty:
            self._finished = clock()  # nothing has had time to decay
        self._round: Iterator[tuple[bytes, StoredEntry]] | None = None
        self._kept_at = time.monotonic()

    def step(self) -> float:
        """Look at the next instance, if a round is under way or due; seconds until the next step.

        Raises Stopped, or Unavailable when a mark cannot be written.
        """
        if self._began_empty:
            self._began_empty = False
            self._finish_at(self._finished)
        if self._round is None:
            if not self._due():
                return _LOOK_EVERY_S
            self._round = self._keeper.index.entries_from(self._position)
        behind, entry = next(self._round, (b"", None))
        if entry is None:
            self._finish()
            return 0.0
        self._look(entry)
        self._position = behind
        if time.monotonic() - self._kept_at >= _KEEP_EVERY_S:
            self.keep_place()
        return 0.0

    def keep_place(self) -> None:
        """Have the next process go on from here."""
        self._kept_at = time.monotonic()
        if self._position:
            self._keeper.index.note(_POSITION, self._position)

    def figures(self) -> dict[str, Any]:
        """For the status."""
        return {
            "checked": self.checked,
            "bytes": self.bytes,
            "under_way": self._round is not None,
            "last_finished": self._finished or None,
        }

    def _due(self) -> bool:
        if not self.settings.interval_s:
            return False
        since = self._clock() - self._finished
        return bool(self._position) or since < 0 or since >= self.settings.interval_s

    def _finish(self) -> None:
        self._round, self._position = None, b""
        self._finish_at(self._clock())
        log.info("every stored file was read: %d are damaged", self._keeper.index.damaged_count())

    def _finish_at(self, now: float) -> None:
        self._finished = now
        self._keeper.index.apply((), {_POSITION: None, _FINISHED: repr(now).encode("ascii")})

    def _look(self, entry: StoredEntry) -> None:
        checksum = DatasetChecksum(entry.file.dataset_offset)

        def visit(offset: int, piece: memoryview) -> None:
            checksum.visit(offset, piece)
            if self._rest(max(len(piece), _FILE_COSTS) / self.settings.rate):
                raise Stopped

        try:
            size = self._keeper.files.visit(entry.file.path, visit)
            fault = fault_of(entry.file, size, checksum.value)
        except OSError as error:
            try:
                fault = fault_of_error(error)
            except OSError:
                log.warning("%s cannot be read just now: %s", entry.file.path, error)
                self._rest(1.0)
                return
            size = 0
        self.checked += 1
        self.bytes += size
        try:
            self._keeper.found(entry, fault)
        except FastdicomError as error:
            log.error("%s: %s, which cannot be noted: %s", entry.file.path, fault or "whole again", error)
            self._rest(1.0)
