"""The committer: makes sealed files and their index rows durable together, in batches. Promise 1.

There is no thread for it. Whoever comes first does the work for all that wait (group commit): one
association alone pays no hand-over, sixteen share two fsyncs. The order is: names, folders, one index
transaction; only then do the waiting calls return.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any

from fastdicom.archive.disk import Disk
from fastdicom.archive.incoming import IncomingFile
from fastdicom.errors import Unavailable

log = logging.getLogger(__name__)

Apply = Callable[[Sequence[Any]], list[Any]]


class _Ticket:
    __slots__ = ("change", "error", "file", "outcome")

    def __init__(self, file: IncomingFile | None, change: object) -> None:
        self.file = file
        self.change = change
        self.outcome: object = None
        self.error: BaseException | None = None

    @property
    def done(self) -> bool:
        return self.outcome is not None or self.error is not None


class Committer:
    """Takes sealed files with their index changes; returns when both are durable.

    apply: one index transaction for a batch of changes, an outcome for each. reopen: called before the
    next batch after the index failed, to begin again from what is on disk; has_row: whether the index
    names a path then. ready: raises Unavailable while nothing can be made durable. sync: also fsync the
    folders.
    """

    def __init__(
        self,
        apply: Apply,
        disk: Disk,
        *,
        sync: bool,
        reopen: Callable[[], None],
        has_row: Callable[[str], bool],
        ready: Callable[[], None] = lambda: None,
    ) -> None:
        self._apply = apply
        self._reopen = reopen
        self._has_row = has_row
        self._ready = ready
        self._disk = disk
        self._sync = sync
        self._queue: list[_Ticket] = []
        self._queue_lock = threading.Lock()
        self._leader = threading.Lock()
        self._index_failed = False
        self._suspects: list[IncomingFile] = []  # whose commit failed in the index: it may have happened
        self.batches = 0
        self.commits = 0
        self.turns = 0  # batches that ended, well or not: proof of life for a watchdog

    @property
    def waiting(self) -> int:
        """Changes that no batch has taken yet."""
        return len(self._queue)

    @property
    def busy(self) -> bool:
        """True while a batch is under way or waited for: then `turns` has to grow."""
        return bool(self._queue) or self._leader.locked()

    @property
    def failing(self) -> bool:
        """True from a batch that the index could not write to the next that it could."""
        return self._index_failed

    def commit(self, file: IncomingFile | None, change: object) -> Any:
        """Make one change durable; `file`, when there is one, is sealed and gets its name.

        Returns the index's outcome. Raises Unavailable when anything failed: then the file is gone and
        nothing was promised. Blocks while another caller's batch is under way.
        """
        ticket = _Ticket(file, change)
        with self._queue_lock:
            self._queue.append(ticket)
        with self._leader:
            if not ticket.done:
                try:
                    self._run_batch()
                finally:
                    self.turns += 1
        return self._finish(ticket)

    def commit_all(self, changes: Sequence[Any]) -> list[Any]:
        """As `commit` for changes without files, in one transaction; others' may be in it too."""
        tickets = [_Ticket(None, change) for change in changes]
        with self._queue_lock:
            self._queue += tickets
        with self._leader:
            if not all(ticket.done for ticket in tickets):
                self._run_batch()
        return [self._finish(ticket) for ticket in tickets]

    @staticmethod
    def _finish(ticket: _Ticket) -> Any:
        """What became of a ticket; one that nobody dealt with has failed."""
        if ticket.error is not None or not ticket.done:
            raise Unavailable("commit failed") from ticket.error
        return ticket.outcome

    def close(self) -> None:
        """Leave files whose commit is in doubt to the next start."""
        suspects, self._suspects = self._suspects, []
        for file in suspects:
            file.block.clean = False
            file.finish()

    def _run_batch(self) -> None:
        with self._queue_lock:
            batch, self._queue = self._queue, []
        try:
            self._ready()
            if self._index_failed:
                self._begin_again()
            self._name(batch)
        except BaseException as error:  # an interrupt of the host's, too, must not look like success
            self._refuse(batch, error)
            for ticket in batch:
                _drop(ticket.file)
            _raise_interrupt(error)
            return
        try:
            outcomes = self._apply([ticket.change for ticket in batch])
        except BaseException as error:
            self._index_failed = True
            self._suspects += [ticket.file for ticket in batch if ticket.file is not None]
            self._refuse(batch, error)
            _raise_interrupt(error)
            return
        for ticket, outcome in zip(batch, outcomes, strict=True):
            ticket.outcome = outcome
        self.batches += 1
        self.commits += len(batch)

    def _name(self, batch: list[_Ticket]) -> None:
        folders = set()
        for ticket in batch:
            if ticket.file is not None:
                ticket.file.name()
                folders.add(ticket.file.block.fd)
        if self._sync:
            for fd in folders:
                self._disk.sync_folder(fd)

    def _refuse(self, batch: list[_Ticket], error: BaseException) -> None:
        log.error("commit of %d changes failed: %s", len(batch), error)
        for ticket in batch:
            ticket.error = error

    def _begin_again(self) -> None:
        """Open the index anew; only then is it known which of the failed files have rows after all."""
        self._reopen()
        self._index_failed = False
        suspects, self._suspects = self._suspects, []
        for file in suspects:
            if self._has_row(file.path):
                file.finish()
            else:
                _drop(file)


def _raise_interrupt(error: BaseException) -> None:
    if not isinstance(error, Exception):
        raise error


def _drop(file: IncomingFile | None) -> None:
    """Remove a file without a row. If that fails now, the next start finds it without a row."""
    if file is None:
        return
    try:
        file.discard()
    except OSError as error:
        log.warning("%s stays until the next start: %s", file.path, error)
