"""Retrieve: C-MOVE and C-GET as SCP. PS3.4 C.4.2, C.4.3, PS3.7 9.3.3, 9.3.4."""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

from fastdicom.dataset.elements import encode_uid_list
from fastdicom.dataset.identifier import Identifier
from fastdicom.dataset.record import StoredEntry
from fastdicom.dimse import messages
from fastdicom.errors import LimitReached, Refused
from fastdicom.events import Observer, Query
from fastdicom.services.budget import Budget
from fastdicom.services.find import Collected
from fastdicom.services.ports import Caller, ClientLink, Finder, Interruption, Reply, StoreChannel
from fastdicom.services.proposals import AssociationPlan, plan_associations
from fastdicom.services.suboperations import Sender, Tally
from fastdicom.standard import status

log = logging.getLogger(__name__)

FAILED_SOP_INSTANCE_UID_LIST = 0x00080058
_PENDING_EACH = 64  # so many sub-operations are told of one by one; then at most one every interval
_PENDING_INTERVAL_S = 0.1
_READ_ONCE_MAX = 2000  # instances whose rows are kept, at a kilobyte each; of more they are read again
_LOOK_INTERVAL_S = 0.005  # between two looks for a C-CANCEL


class Destination(Protocol):
    """A C-MOVE destination that the configuration knows."""

    transfer_syntaxes: Sequence[str]
    associations: int

    def open(self, plan: AssociationPlan, watch: ClientLink) -> StoreChannel:
        """Associate with it; meanwhile `watch` is heard. Raises ConnectionLost, AssociationRejected."""

    def close(self, channel: StoreChannel) -> None:
        """Release the association."""

    def side_by_side(self, client: Interruption) -> Together:
        """For several associations at once."""


class Together(ClientLink, Protocol):
    """Runs iterators at once; they watch it instead of the client. See net.side_by_side."""

    def run(self, iterators: Sequence[Iterator[StoredEntry]]) -> Iterator[StoredEntry]:
        """The items of all of them as they come."""


class Retrieval(NamedTuple):
    """What one retrieve works with, whichever way the instances travel."""

    transfer_syntax_uid: str
    caller: Caller
    finder: Finder
    decode: Callable[[bytes], Identifier]
    sender: Sender
    link: ClientLink
    identifier_length_max: int
    budget: Budget
    instances_max: int
    observer: Observer


class RetrieveOperation(Collected, ABC):
    """What C-MOVE and C-GET have in common: find, send one by one, tell how far we are."""

    batched = False

    def __init__(
        self, request: messages.CMoveRequest | messages.CGetRequest, response_field: int, retrieval: Retrieval
    ) -> None:
        super().__init__(retrieval.identifier_length_max, retrieval.budget)
        self._request = request
        self._response_field = response_field
        self._retrieval = retrieval
        self._sender = retrieval.sender
        self._told = 0
        self._told_at = 0.0
        self._look_at = 0.0
        self._last: messages.Response | None = None
        self._limit = False

    @property
    @abstractmethod
    def receiver(self) -> str:
        """The AE title of who gets the instances."""

    def wanted(self) -> bool:
        """False once the peer has cancelled. It is asked at most every few milliseconds."""
        now = time.monotonic()
        if not self._cancelled and now >= self._look_at:
            self._cancelled = not self._retrieval.link.wanted()
            self._look_at = now + _LOOK_INTERVAL_S
        return not self._cancelled

    def moved(self) -> None:
        """A destination took or said something."""
        self._retrieval.link.moved()

    def end(self) -> Iterator[Reply]:
        """Pending responses while instances are sent, then the final one."""
        self._answering = True
        try:
            yield from self._answers()
        finally:
            name = "move" if self._response_field == messages.C_MOVE_RSP else "get"
            syntax = self._retrieval.transfer_syntax_uid
            query = Query(name, self._request.sop_class_uid, syntax, b"")
            self.tell(self._retrieval.observer, self._retrieval.caller, query, self._last, self._limit)

    def _answers(self) -> Iterator[Reply]:
        try:
            self._prepare()
            selection = self._retrieval.finder.instances(self._retrieval.decode(self.identifier()))
            if len(selection) > self._retrieval.instances_max:
                raise LimitReached(
                    f"{len(selection)} instances, at most {self._retrieval.instances_max} in one retrieve",
                    status.CANNOT_COUNT_MATCHES,
                )
        except Refused as refusal:
            self._limit = isinstance(refusal, LimitReached)
            self._log(status.describe(refusal.status) + ": " + refusal.comment)
            yield self._reply(refusal.status, comment=refusal.comment, offending=refusal.offending)
            return
        # `selection` stays, too: as long as it does retention leaves the instances alone
        entries = list(selection) if len(selection) <= _READ_ONCE_MAX else selection
        observer, caller = self._retrieval.observer, self._retrieval.caller
        tally = Tally(
            len(entries),
            lambda code, length, seconds: observer.sent(caller, self.receiver, code, length, seconds),
        )
        observer.sending(caller, self.receiver, entries)
        try:
            for _ in self._send(entries, tally):
                if self.wanted() and tally.done < tally.total and self._due():
                    yield self._reply(status.PENDING, tally)
        finally:
            failed = [entry for entry, _, _ in tally.failures]
            observer.retrieved(caller, self.receiver, tally.delivered, failed, self._final_comment(tally))
        final = self._final_status(tally)
        self._log(f"{status.describe(final)}, {tally.done} of {tally.total} sub-operations")
        yield self._reply(final, tally, comment=self._final_comment(tally))

    def _prepare(self) -> None:
        """What can be refused before the index is asked."""

    @abstractmethod
    def _send(self, entries: Sequence[StoredEntry], tally: Tally) -> Iterator[StoredEntry]:
        """Send what can be sent; yields after each instance."""

    def _due(self) -> bool:
        now = time.monotonic()
        if self._told >= _PENDING_EACH and now - self._told_at < _PENDING_INTERVAL_S:
            return False
        self._told += 1
        self._told_at = now
        return True

    def _final_status(self, tally: Tally) -> int:
        if self._cancelled and tally.done < tally.total:
            return status.CANCEL
        if not tally.failures and not tally.warning:
            return status.SUCCESS
        if len(tally.failures) == tally.total:
            return status.CANNOT_SEND
        return status.SUBOPERATIONS_WITH_FAILURES

    def _final_comment(self, tally: Tally) -> str:
        if not tally.failures:
            return ""
        return tally.failures[0][2]

    def _reply(
        self, code: int, tally: Tally | None = None, *, comment: str = "", offending: tuple[int, ...] = ()
    ) -> Reply:
        failed: bytes | None = None
        if tally is not None and tally.failures and not status.is_pending(code):
            uids = [entry.sop_instance_uid for entry, _, _ in tally.failures]
            failed = encode_uid_list(FAILED_SOP_INSTANCE_UID_LIST, uids, self._retrieval.transfer_syntax_uid)
        response = messages.Response(
            self._response_field,
            self._request.message_id,
            code,
            self._request.sop_class_uid,
            comment=comment,
            offending=offending,
            counters=tally.counters if tally is not None else None,
            has_dataset=failed is not None,
        )
        self._last = None if status.is_pending(code) else response
        return Reply(messages.encode(response), failed)

    def _log(self, what: str) -> None:
        name = "C-MOVE" if self._response_field == messages.C_MOVE_RSP else "C-GET"
        caller = self._retrieval.caller
        log.info("association %d: %s of %s: %s", caller.number, name, caller.calling_ae_title, what)


class MoveOperation(RetrieveOperation):
    """One C-MOVE. look_up: a destination by AE title; None when the configuration does not know it."""

    def __init__(
        self,
        request: messages.CMoveRequest,
        retrieval: Retrieval,
        look_up: Callable[[str], Destination | None],
    ) -> None:
        super().__init__(request, messages.C_MOVE_RSP, retrieval)
        self._title = request.destination
        self._look_up = look_up
        self._destination: Destination

    @property
    def receiver(self) -> str:
        return self._title

    def _prepare(self) -> None:
        found = self._look_up(self._title)
        if found is None:
            raise Refused(status.UNKNOWN_DESTINATION, f"move destination {self._title!r} is unknown")
        self._destination = found

    def _send(self, entries: Sequence[StoredEntry], tally: Tally) -> Iterator[StoredEntry]:
        destination = self._destination
        plans = plan_associations(
            entries, only=destination.transfer_syntaxes, fallbacks=self._sender.fallbacks
        )
        if destination.associations == 1 or len(entries) == 1:
            return self._send_plans(plans, tally, self._retrieval.link, self)
        together = destination.side_by_side(self)
        return together.run(
            [
                self._send_plans([part], tally, together, together)
                for plan in plans
                for part in plan.divided(destination.associations)
            ]
        )

    def _send_plans(
        self, plans: Sequence[AssociationPlan], tally: Tally, link: ClientLink, interruption: Interruption
    ) -> Iterator[StoredEntry]:
        destination = self._destination
        return self._sender.send_all(
            plans, lambda plan: destination.open(plan, link), destination.close, tally, interruption
        )


class GetOperation(RetrieveOperation):
    """One C-GET: the instances come back over the association that asked. PS3.4 C.4.3."""

    def __init__(self, request: messages.CGetRequest, retrieval: Retrieval, channel: StoreChannel) -> None:
        super().__init__(request, messages.C_GET_RSP, retrieval)
        self._channel = channel

    @property
    def receiver(self) -> str:
        return self._retrieval.caller.calling_ae_title

    def _send(self, entries: Sequence[StoredEntry], tally: Tally) -> Iterator[StoredEntry]:
        left = yield from self._sender.send(entries, self._channel, tally, self)
        for entry in left.entries:
            tally.failed(entry, 0, left.reason)
