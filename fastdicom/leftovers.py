"""What start-up decides about files that an earlier process left: which have rows, and which get one.

`archive.recovery` walks the folders; here their files are read and the index is asked and told.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from fastdicom.archive.files import Files
from fastdicom.archive.recovery import Verdict
from fastdicom.archive.unproven import UNPROVEN
from fastdicom.dataset.record import Added, Delete, Put, Replaced
from fastdicom.dataset.stream import ScanPolicy
from fastdicom.errors import FastdicomError
from fastdicom.file_records import Unfinished, is_as_indexed, put_of
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
        self._marks = index.notes(UNPROVEN)

    def keeps_row(self, path: str) -> bool:
        """Look at a file whose row may have been durable before it: when it is not whole, the row goes."""
        block, _, name = path.partition("/")
        mark = self._marks.get(UNPROVEN + block)
        if mark is None or name < mark.decode("ascii"):
            return True
        entry = self._index.at_path(path)
        if entry is None or is_as_indexed(self._files.path_of(path), entry.file):
            return True
        log.warning("%s was not whole when the node ended, and had not been acknowledged", path)
        self._index.apply([Delete(entry.sop_instance_uid, path)])
        return False

    def adopt(self, paths: Sequence[str]) -> dict[str, Verdict]:
        """Index whole files that have no row, unless the row was deleted or the instance has another file.

        A row that was committed last can be missing after a power cut (`Store` says why): its file is whole.
        One transaction for many: a start must not take a sync for each file.
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
