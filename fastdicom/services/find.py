"""Query: C-FIND as SCP. PS3.4 C.4.1, PS3.7 9.3.2."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import closing

from fastdicom.dataset.identifier import Identifier
from fastdicom.dimse import messages
from fastdicom.errors import LimitReached, Refused, Unavailable
from fastdicom.events import LIMIT, SILENT, Alert, Observer, Query
from fastdicom.services.budget import Budget
from fastdicom.services.ports import Caller, Finder, Reply
from fastdicom.standard import status

log = logging.getLogger(__name__)


class Collected:
    """The part of an operation that collects an identifier, up to a ceiling.

    length_max: of this one. budget: of all that are being asked.
    """

    def __init__(self, length_max: int, budget: Budget) -> None:
        self._begun_at = time.perf_counter()
        self._length_max = length_max
        self._budget = budget
        self._identifier = bytearray()
        self._refusal: Unavailable | None = None
        self._cancelled = False
        self._answering = False  # then `tell` ends it

    def data(self, piece: memoryview | bytes) -> None:
        """Keep a copy; beyond the ceiling only the fact that there was more."""
        if self._refusal is not None:
            return
        try:
            if len(self._identifier) + len(piece) > self._length_max:
                raise LimitReached(f"identifier of more than {self._length_max} bytes")
            self._budget.take(len(piece))
            self._identifier += piece
        except Unavailable as refusal:
            self._refusal = refusal
            self._forget()

    def flush(self) -> None:
        """`data` copied already."""

    def cancel(self) -> None:
        """The rest is not wanted."""
        self._cancelled = True

    def abandon(self) -> None:
        """Nobody is left to answer to."""
        self._cancelled = True
        if not self._answering:
            self._forget()

    def _forget(self) -> None:
        self._budget.give(len(self._identifier))
        self._identifier.clear()

    def identifier(self) -> bytes:
        """The whole identifier. Raises LimitReached when it was too long."""
        if self._refusal is not None:
            raise self._refusal
        return bytes(self._identifier)

    def tell(
        self, observer: Observer, caller: Caller, query: Query, final: messages.Response | None, limit: bool
    ) -> None:
        """Report a request that is over. final: None when nobody was left to hear it. limit: of ours."""
        code, comment = (final.status, final.comment) if final else (status.CANCEL, "the client left")
        seconds = time.perf_counter() - self._begun_at
        observer.served(caller, query.operation, code, seconds, comment)
        observer.queried(caller, query._replace(identifier=bytes(self._identifier)), code)
        self._forget()
        if limit:
            observer.alerted(Alert(LIMIT, comment, caller.address, caller.calling_ae_title))


class FindOperation(Collected):
    """One C-FIND.

    decode: the identifier's bytes to an Identifier, raising Refused. answers_max: 0 for no limit.
    transfer_syntax_uid: of the identifier, for the observer.
    """

    batched = True

    def __init__(
        self,
        request: messages.CFindRequest,
        caller: Caller,
        finder: Finder,
        decode: Callable[[bytes], Identifier],
        *,
        length_max: int,
        budget: Budget,
        answers_max: int,
        transfer_syntax_uid: str = "",
        observer: Observer = SILENT,
    ) -> None:
        super().__init__(length_max, budget)
        self._query = Query("find", request.sop_class_uid, transfer_syntax_uid, b"")
        self._observer = observer
        self._last: messages.Response | None = None
        self._limit = False
        self._request = request
        self._caller = caller
        self._finder = finder
        self._decode = decode
        self._answers_max = answers_max

    def end(self) -> Iterator[Reply]:
        """A Pending response with an identifier for each match, then the final one."""
        self._answering = True
        try:
            yield from self._answers()
        finally:
            self.tell(self._observer, self._caller, self._query, self._last, self._limit)

    def _answers(self) -> Iterator[Reply]:
        try:
            identifier = self._decode(self.identifier())
            yield from self._matches(identifier)
        except Refused as refusal:
            self._limit = isinstance(refusal, LimitReached)
            log.warning(
                "association %d: C-FIND from %s answered %s: %s",
                self._caller.number,
                self._caller.calling_ae_title,
                status.describe(refusal.status),
                refusal.comment,
            )
            yield self._final(refusal.status, refusal.comment, refusal.offending)
            return
        yield self._final(status.CANCEL if self._cancelled else status.SUCCESS)

    def _matches(self, identifier: Identifier) -> Iterator[Reply]:
        code = status.PENDING_WARNING if identifier.unsupported else status.PENDING
        pending = messages.encode(
            messages.Response(
                messages.C_FIND_RSP,
                self._request.message_id,
                code,
                self._request.sop_class_uid,
                has_dataset=True,
            )
        )
        count = 0
        nothing_yet = Reply(b"")  # gives the caller the chance to look for a C-CANCEL
        with closing(self._finder.find(identifier)) as matches:
            for match in matches:
                if self._cancelled:
                    return
                if match is None:
                    yield nothing_yet
                    continue
                if self._answers_max and count >= self._answers_max:
                    raise Unavailable(f"more than {self._answers_max} matches: ask more precisely")
                count += 1
                yield Reply(pending, match)

    def _final(self, code: int, comment: str = "", offending: tuple[int, ...] = ()) -> Reply:
        self._last = messages.Response(
            messages.C_FIND_RSP,
            self._request.message_id,
            code,
            self._request.sop_class_uid,
            comment=comment,
            offending=offending,
        )
        return Reply(messages.encode(self._last))
