"""The committer: makes sealed files and their index rows durable together, in batches. Promise 1.

Whoever comes first does the work for all that wait (group commit): one association alone pays no hand-over,
sixteen share one flush. The files come whole, under names that are durable; one index transaction for all,
and only then do the waiting calls return. `begin` gives the work a head start on a thread, while the caller
flushes its file; `finish` then waits for it, or does it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import SimpleQueue
from typing import Any

from fastdicom.archive.incoming import IncomingFile
from fastdicom.errors import Unavailable

log = logging.getLogger(__name__)

Apply = Callable[[Sequence[Any]], list[Any]]


class Ticket:
    """A change that was handed in."""

    __slots__ = ("anyway", "change", "error", "file", "in_doubt", "outcome")

    def __init__(self, file: IncomingFile | None, change: object, *, anyway: bool = False) -> None:
        self.anyway = anyway  # also while nothing can be made durable: it takes back what was not
        self.file = file
        self.change = change
        self.outcome: object = None
        self.error: BaseException | None = None
        self.in_doubt = False  # the index failed: it may have taken the change all the same

    @property
    def done(self) -> bool:
        """Whether a batch has dealt with it."""
        return self.outcome is not None or self.error is not None


class Committer:
    """Takes sealed files with their index changes; returns when the index has taken them.

    apply: one index transaction for a batch of changes, an outcome for each. reopen: called before the
    next batch after the index failed, to begin again from what is on disk; has_row: whether the index
    names a path then. ready: raises Unavailable while nothing can be made durable.
    """

    def __init__(
        self,
        apply: Apply,
        *,
        reopen: Callable[[], None],
        has_row: Callable[[str], bool],
        ready: Callable[[], None] = lambda: None,
    ) -> None:
        self._apply = apply
        self._reopen = reopen
        self._has_row = has_row
        self._ready = ready
        self._queue: list[Ticket] = []
        self._queue_lock = threading.Lock()
        self._leader = threading.Lock()
        self._index_failed = False
        self._suspects: list[IncomingFile] = []  # whose commit failed in the index: it may have happened
        self._wake: SimpleQueue[bool] = SimpleQueue()
        self._thread: threading.Thread | None = None
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

    def commit(self, file: IncomingFile | None, change: object, *, anyway: bool = False) -> Any:
        """Make one change durable; `file`, when there is one, is sealed and synced.

        Returns the index's outcome. Raises Unavailable when anything failed: then the file is gone and
        nothing was promised. Blocks while another caller's batch is under way.
        """
        ticket = Ticket(file, change, anyway=anyway)
        with self._queue_lock:
            self._queue.append(ticket)
        return self.finish(ticket)

    def begin(self, file: IncomingFile, change: object) -> Ticket:
        """Hand a change in and go on; every ticket has to be brought to `finish`."""
        ticket = Ticket(file, change)
        with self._queue_lock:
            self._queue.append(ticket)
            first = len(self._queue) == 1  # else the thread has been told already
            if self._thread is None:
                self._thread = threading.Thread(target=self._help, name="fastdicom-commit", daemon=True)
                self._thread.start()
        if first:
            self._wake.put(True)
        return ticket

    def finish(self, ticket: Ticket) -> Any:
        """What became of it, as `commit`."""
        with self._leader:
            if not ticket.done:
                try:
                    self._run_batch()
                finally:
                    self.turns += 1
        if ticket.error is None and ticket.done:
            return ticket.outcome
        if ticket.file is not None:
            self._give_up(ticket.file, in_doubt=ticket.in_doubt)
        raise Unavailable("commit failed") from ticket.error

    def commit_all(self, changes: Sequence[Any]) -> list[Any]:
        """As `commit` for changes without files, in one transaction; others' may be in it too."""
        tickets = [Ticket(None, change) for change in changes]
        with self._queue_lock:
            self._queue += tickets
        return [self.finish(ticket) for ticket in tickets]

    def _help(self) -> None:
        while self._wake.get():
            with self._leader:
                if self._queue:
                    with suppress(BaseException):  # whose tickets these are hear of it
                        self._run_batch()
                    self.turns += 1

    def close(self) -> None:
        """Leave files whose commit is in doubt to the next start."""
        if self._thread is not None:
            self._wake.put(False)
            self._thread.join()
        suspects, self._suspects = self._suspects, []
        for file in suspects:
            file.block.clean = False
            file.finish()

    def _run_batch(self) -> None:
        with self._queue_lock:
            batch, self._queue = self._queue, []
        batch = self._those_ready(batch)
        if not batch:
            return
        try:
            if self._index_failed:
                self._begin_again()
        except BaseException as error:  # an interrupt of the host's, too, must not look like success
            self._refuse(batch, error)
            _raise_interrupt(error)
            return
        try:
            outcomes = self._apply([ticket.change for ticket in batch])
        except BaseException as error:
            self._index_failed = True
            for ticket in batch:
                ticket.in_doubt = True
            self._refuse(batch, error)
            _raise_interrupt(error)
            return
        for ticket, outcome in zip(batch, outcomes, strict=True):
            ticket.outcome = outcome
        self.batches += 1
        self.commits += len(batch)

    def _those_ready(self, batch: list[Ticket]) -> list[Ticket]:
        """Refuse what has to wait until the disk is trusted again."""
        try:
            self._ready()
        except Unavailable as error:
            self._refuse([ticket for ticket in batch if not ticket.anyway], error)
            return [ticket for ticket in batch if ticket.anyway]
        return batch

    def _refuse(self, batch: list[Ticket], error: BaseException) -> None:
        log.error("commit of %d changes failed: %s", len(batch), error)
        for ticket in batch:
            ticket.error = error

    def _begin_again(self) -> None:
        """Open the index anew; only then is it known which of the failed files have rows after all."""
        self._reopen()
        self._index_failed = False
        suspects, self._suspects = self._suspects, []
        for file in suspects:
            self._resolve(file)

    def _give_up(self, file: IncomingFile, *, in_doubt: bool) -> None:
        """Remove a file whose commit failed, if not now then once it is known that it has no row."""
        if not in_doubt:
            _drop(file)
            return
        with self._leader:
            if self._index_failed:
                self._suspects.append(file)
            else:  # somebody has opened the index anew since
                self._resolve(file)

    def _resolve(self, file: IncomingFile) -> None:
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
