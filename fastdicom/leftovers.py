"""What start-up decides about files without rows that an earlier process left: which get one.

`archive.recovery` walks the folders; here their files are read and the index is asked and told.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from fastdicom.archive.files import Files
from fastdicom.archive.recovery import Verdict
from fastdicom.dataset.record import Added, Put, Replaced
from fastdicom.dataset.stream import ScanPolicy
from fastdicom.errors import FastdicomError
from fastdicom.file_records import Unfinished, put_of
from fastdicom.index.environment import Index

log = logging.getLogger(__name__)

_ADOPTED_AT_ONCE = 256


class Leftovers:
    """Judges files for `archive.recovery.recover`. progress: called after every file that was looked at."""

    def __init__(
        self, index: Index, files: Files, policy: ScanPolicy, progress: Callable[[], object]
    ) -> None:
        self._index = index
        self._files = files
        self._policy = policy
        self._progress = progress

    def adopt(self, paths: Sequence[str]) -> dict[str, Verdict]:
        """Index whole files that have no row, unless the row was deleted or the instance has another file.

        Rows of the last moments before a crash or a power cut can be missing (`archive.posts`, `Store`), but
        their files are whole. One transaction for many: a start must not take a sync for each file.
        """
        trash = set(self._index.trash())
        verdicts = {path: Verdict.SUPERFLUOUS for path in paths}
        puts = []
        for path in paths:
            self._progress()
            if path in trash:
                continue
            try:
                puts.append(put_of(self._files.path_of(path), path, self._policy))
            except Unfinished:
                continue
            except (FastdicomError, OSError) as error:
                log.error("%s has no row and cannot be indexed: %s", path, error)
                verdicts[path] = Verdict.UNREADABLE
            if len(puts) == _ADOPTED_AT_ONCE:
                self._put(puts, verdicts)
                puts = []
        self._put(puts, verdicts)
        return verdicts

    def _put(self, puts: Sequence[Put], verdicts: dict[str, Verdict]) -> None:
        if not puts:
            return
        for put, outcome in zip(puts, self._index.apply(puts), strict=True):
            if isinstance(outcome, Added | Replaced):
                verdicts[put.file.path] = Verdict.ADOPTED
