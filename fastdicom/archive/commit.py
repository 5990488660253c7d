"""The committer: makes sealed files and their index rows durable together, in batches. Promise 1.

There is no thread for it. Whoever comes first does the work for all that wait (group commit): one
association alone pays no hand-over, sixteen share one flush. The files come whole and synced, under names
that are durable; one index transaction for all, and only then do the waiting calls return.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any

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
    names a path then.
    """

    def __init__(self, apply: Apply, *, reopen: Callable[[], None], has_row: Callable[[str], bool]) -> None:
        self._apply = apply
        self._reopen = reopen
        self._has_row = has_row
        self._queue: list[_Ticket] = []
        self._queue_lock = threading.Lock()
        self._leader = threading.Lock()
        self._index_failed = False
        self._suspects: list[IncomingFile] = []  # whose commit failed in the index: it may have happened
        self.batches = 0
        self.commits = 0

    @property
    def waiting(self) -> int:
        """Changes that no batch has taken yet."""
        return len(self._queue)

    def commit(self, file: IncomingFile | None, change: object) -> Any:
        """Make one change durable; `file`, when there is one, is sealed.

        Returns the index's outcome. Raises Unavailable when anything failed: then the file is gone and
        nothing was promised. Blocks while another caller's batch is under way.
        """
        ticket = _Ticket(file, change)
        with self._queue_lock:
            self._queue.append(ticket)
        with self._leader:
            if not ticket.done:
                self._run_batch()
        return self._finish(ticket)

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
            if self._index_failed:
                self._begin_again()
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
