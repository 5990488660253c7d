"""The committer: brings changes into the index, in batches. Promise 1.

Whoever comes first does the work for all that wait (group commit): one association alone pays no hand-over,
sixteen share one flush. One index transaction for all, and only then do the waiting calls return. Each waits
for a turn of its own: a lock that all waited on would wake them one after the other, each to find it taken.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any

from fastdicom.archive.incoming import IncomingFile
from fastdicom.errors import Unavailable
from fastdicom.kernels import turnstile
from fastdicom.kernels.turnstile import Turn

log = logging.getLogger(__name__)

Apply = Callable[[Sequence[Any]], list[Any]]


class Ticket:
    """A change that was handed in."""

    __slots__ = ("change", "error", "file", "in_doubt", "leads", "outcome", "turn")

    def __init__(self, file: IncomingFile | None, change: object) -> None:
        self.file = file
        self.change = change
        self.outcome: object = None
        self.error: BaseException | None = None
        self.in_doubt = False  # the index failed: it may have taken the change all the same
        self.leads = False  # its batch is its caller's to do
        self.turn = Turn()  # given once it is done, or leads

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
        self._led = False  # somebody does a batch, or was told to
        self._leader = threading.Lock()  # held while a batch is done
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
        return self._led

    @property
    def failing(self) -> bool:
        """True from a batch that the index could not write to the next that it could."""
        return self._index_failed

    def commit(self, file: IncomingFile | None, change: object) -> Any:
        """Make one change durable; `file`, when there is one, is sealed.

        Returns the index's outcome. Raises Unavailable when anything failed: then the file is gone and
        nothing was promised. Blocks while another caller's batch is under way.
        """
        ticket = Ticket(file, change)
        self._see_to([ticket])
        return self._result(ticket)

    def commit_all(self, changes: Sequence[Any]) -> list[Any]:
        """As `commit` for changes without files, in one transaction; others' may be in it too."""
        tickets = [Ticket(None, change) for change in changes]
        if tickets:
            self._see_to(tickets)
        return [self._result(ticket) for ticket in tickets]

    def _see_to(self, tickets: list[Ticket]) -> None:
        """Returns when a batch has dealt with them, which is the same one for all."""
        first = tickets[0]
        try:
            with self._queue_lock:
                self._queue += tickets
                first.leads = not self._led
                self._led = True
            if not first.leads:
                first.turn.wait()
            if first.leads:
                self._lead()
        except BaseException:  # an interrupt of the host's: nobody must wait for us
            self._desert(tickets)
            raise

    def _desert(self, tickets: list[Ticket]) -> None:
        with self._queue_lock:
            waiting = tickets[0] in self._queue
            if waiting and not tickets[0].leads:
                self._queue = [ticket for ticket in self._queue if ticket not in tickets]
        if waiting and tickets[0].leads:
            self._lead()
        elif waiting and tickets[0].file is not None:
            tickets[0].file.block.clean = False  # no row, and it stays: the next start looks at it

    def _lead(self) -> None:
        """Do a batch, then wake whoever leads the next one, and those whose batch it was."""
        batch: list[Ticket] = []
        inside = turnstile.is_inside()
        try:
            with self._leader:
                with self._queue_lock:
                    batch, self._queue = self._queue, []
                self._run_batch(batch)
        finally:
            self.turns += 1
            self._hand_on()
            for ticket in batch:
                ticket.turn.give()
            if inside:
                turnstile.enter()

    def _hand_on(self) -> None:
        with self._queue_lock:
            self._led = bool(self._queue)
            if self._led:
                self._queue[0].leads = True
                self._queue[0].turn.give()

    def _result(self, ticket: Ticket) -> Any:
        if ticket.error is None and ticket.done:
            return ticket.outcome
        if ticket.file is not None:
            self._give_up(ticket.file, in_doubt=ticket.in_doubt)
        raise Unavailable("commit failed") from ticket.error

    def close(self) -> None:
        """Leave files whose commit is in doubt to the next start."""
        suspects, self._suspects = self._suspects, []
        for file in suspects:
            file.block.clean = False
            file.finish()

    def _run_batch(self, batch: list[Ticket]) -> None:
        try:
            self._ready()
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
