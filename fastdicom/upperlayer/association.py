"""One association without its socket: bytes in, events out; requests in, bytes out. PS3.8 9.2.

No clock either: `now` is a number of seconds that the caller brings. Data fragments pass through as the
`pdu` kernel names them; they are borrowed until the next call of `space()`.
"""

from __future__ import annotations

from dataclasses import dataclass

from fastdicom.errors import PeerError
from fastdicom.kernels.pdu import PduReader
from fastdicom.upperlayer import codec
from fastdicom.upperlayer.pdus import (
    ACCEPTANCE,
    LENGTH_MIN,
    SERVICE_PROVIDER,
    SERVICE_USER,
    Abort,
    AssociationAccept,
    AssociationReject,
    AssociationRequest,
    Pdu,
    ReleaseRequest,
    ReleaseResponse,
)
from fastdicom.upperlayer.states import Event, State, transition

Fragment = tuple[int, int, memoryview | bytes]
"""(presentation context ID, control bits, data): see kernels.pdu."""

UNEXPECTED_PDU = 2
SENT_LENGTH_MAX = 1 << 20  # what we send at most to a peer that announces no limit
_PDU_EVENT = {
    codec.A_ASSOCIATE_RQ: Event.ASSOCIATE_RQ,
    codec.A_ASSOCIATE_AC: Event.ASSOCIATE_AC,
    codec.A_ASSOCIATE_RJ: Event.ASSOCIATE_RJ,
    codec.A_RELEASE_RQ: Event.RELEASE_RQ,
    codec.A_RELEASE_RP: Event.RELEASE_RP,
    codec.A_ABORT: Event.ABORT,
}


@dataclass(frozen=True, slots=True)
class Fault:
    """The peer broke the protocol; we have answered with an A-ABORT. The last event of an association."""

    error: PeerError


@dataclass(frozen=True, slots=True)
class TransportClosed:
    """The peer closed the transport without a release. The last event of an association."""


@dataclass(frozen=True, slots=True)
class TimerExpired:
    """ARTIM ran out: the peer was silent where it had to speak, or did not close. PS3.8 9.1.5."""


@dataclass(frozen=True, slots=True)
class Context:
    """An accepted presentation context."""

    context_id: int
    abstract_syntax: str
    transfer_syntax: str


AssociationEvent = Fragment | Pdu | Fault | TransportClosed | TimerExpired


class Association:
    """The upper layer of one association, as acceptor (`answer`) or requestor (`request`).

    artim_s: how long the peer may take for its A-ASSOCIATE-RQ. closing_s: how long it may take to close
    the transport after the end. Both are the ARTIM timer of PS3.8 9.1.5.
    After each call, `outgoing` holds what is to be sent, in order; `take_outgoing()` empties it.
    """

    def __init__(
        self, reader: PduReader, *, acceptor: bool, artim_s: float, closing_s: float, now: float
    ) -> None:
        self.state: int = State.STA1
        self.acceptor = acceptor
        self.contexts: dict[int, Context] = {}
        self.request: AssociationRequest | None = None
        self.accept: AssociationAccept | None = None
        self.peer_length_max = SENT_LENGTH_MAX
        self.deadline: float | None = None  # of ARTIM, while it runs
        self._reader = reader
        self._artim_s = artim_s
        self._closing_s = closing_s
        self._outgoing: list[bytes] = []
        self._held: list[tuple[int, int, memoryview | bytes]] = []
        if acceptor:
            self._fire(Event.TRANSPORT_INDICATION, now)

    @classmethod
    def accepting(
        cls,
        buffer_size: int,
        max_length: int,
        request_length_max: int,
        *,
        artim_s: float,
        closing_s: float,
        now: float,
    ) -> Association:
        """The acceptor's end of a connection that was just made.

        buffer_size: bytes received at once. max_length: what we announce as Maximum Length, 0 for any.
        request_length_max: ceiling for an association request.
        """
        reader = PduReader(buffer_size, max_length, request_length_max)
        return cls(reader, acceptor=True, artim_s=artim_s, closing_s=closing_s, now=now)

    @property
    def established(self) -> bool:
        """Sta6: messages may travel both ways."""
        return self.state == State.STA6

    @property
    def may_send(self) -> bool:
        """Sta6, or Sta8: the peer asked for the release, answers may still go out (AR-7)."""
        return self.state in (State.STA6, State.STA8)

    @property
    def may_abort(self) -> bool:
        """There is an association, or one is being asked for, that an A-ABORT would end."""
        return self.state not in (State.STA1, State.STA2, State.STA13)

    @property
    def awaits_accept(self) -> bool:
        """Sta3: the peer's A-ASSOCIATE-RQ is still to be answered (nothing ended it since)."""
        return self.state == State.STA3

    @property
    def awaits_release_response(self) -> bool:
        """The peer's A-RELEASE-RQ is still to be answered (nothing ended the association since)."""
        return self.state in (State.STA8, State.STA9, State.STA12)

    @property
    def closed(self) -> bool:
        """Sta1: nothing more will come; the transport is to be closed."""
        return self.state == State.STA1

    def take_outgoing(self) -> list[bytes]:
        """What is to be sent now."""
        out, self._outgoing = self._outgoing, []
        return out

    # ------------------------------------------------------------------------------ from the peer

    def space(self) -> memoryview:
        """Where the next bytes may be received; ends the life of all fragments handed out before."""
        return self._reader.space()

    def received(self, count: int, now: float) -> list[AssociationEvent]:
        """Take `count` new bytes; 0 means that the peer closed the transport."""
        if count == 0:
            self._fire(Event.TRANSPORT_CLOSED, now)
            return [TransportClosed()]
        events: list[AssociationEvent] = []
        try:
            self._take(self._reader.received(count), events, now)
            while self._reader.more:
                self._take(self._reader.take(), events, now)
        except PeerError as error:
            error.with_traceback(None)  # it would hold this frame, which holds it: and so our buffer
            events.append(self._invalid(error, now))
        return events

    def tick(self, now: float) -> list[AssociationEvent]:
        """Time has passed: is ARTIM over?"""
        if self.deadline is None or now < self.deadline:
            return []
        self._fire(Event.ARTIM_EXPIRED, now)
        return [TimerExpired()]

    def _take(
        self, items: list[tuple[int, int, memoryview | bytes]], out: list[AssociationEvent], now: float
    ) -> None:
        for number, item in enumerate(items):
            if out and isinstance(out[-1], ReleaseRequest):
                self._held += items[number:]  # its turn comes when the release is answered
                return
            if item[0]:
                if self.state == State.STA6:  # DT-2, the one case that repeats
                    out.append(item)
                else:
                    self._pdu(Event.P_DATA_TF, None, item, out, now)
            else:
                body = item[2]
                assert isinstance(body, bytes)
                self._pdu(_PDU_EVENT[item[1]], (item[1], body), item, out, now)
            if self.state == State.STA1:
                return

    def _pdu(
        self,
        event: Event,
        body: tuple[int, bytes] | None,
        item: Fragment,
        out: list[AssociationEvent],
        now: float,
    ) -> None:
        """Run one PDU through the table and add what the user is told."""
        pdu = codec.decode(*body) if body is not None else None
        action = self._fire(event, now)
        if action in ("AA-1", "AA-8"):
            out.append(Fault(PeerError(f"{event.name} was not expected", UNEXPECTED_PDU)))
        elif action in ("DT-2", "AR-6"):
            out.append(item)
        elif isinstance(pdu, AssociationRequest):
            if action == "AE-6":
                self.request = pdu
                out.append(pdu)
        elif isinstance(pdu, AssociationAccept):
            if action == "AE-3":
                self._accepted(pdu)
                out.append(pdu)
        elif pdu is not None and action in ("AE-4", "AR-2", "AR-3", "AR-8", "AR-10", "AA-2", "AA-3"):
            out.append(pdu)

    def _invalid(self, error: PeerError, now: float) -> Fault:
        if self.state != State.STA1:
            self._fire(Event.INVALID_PDU, now, error.abort_reason)
        return Fault(error)

    # ------------------------------------------------------------------------------ from our side

    def ask(self, request: AssociationRequest, now: float) -> None:
        """As requestor, on an open transport: send A-ASSOCIATE-RQ."""
        self._fire(Event.ASSOCIATE_REQUEST, now)
        self._fire(Event.TRANSPORT_CONFIRM, now)
        self.request = request
        self._outgoing.append(codec.encode(request))

    def answer(self, response: AssociationAccept | AssociationReject, now: float) -> None:
        """As acceptor: answer the A-ASSOCIATE-RQ."""
        accepted = isinstance(response, AssociationAccept)
        self._fire(Event.ASSOCIATE_ACCEPT if accepted else Event.ASSOCIATE_REJECT, now)
        if isinstance(response, AssociationAccept):
            self._accepted(response)
        self._outgoing.append(codec.encode(response))

    def ask_release(self, now: float) -> None:
        """Send A-RELEASE-RQ."""
        self._fire(Event.RELEASE_REQUEST, now)
        self._outgoing.append(codec.encode(ReleaseRequest()))

    def answer_release(self, now: float) -> list[AssociationEvent]:
        """Answer the peer's A-RELEASE-RQ, also in a release collision.

        Returns the events of what had come right behind the request.
        """
        self._fire(Event.RELEASE_RESPONSE, now)
        self._outgoing.append(codec.encode(ReleaseResponse()))
        held, self._held = self._held, []
        events: list[AssociationEvent] = []
        self._take(held, events, now)
        return events

    def abort(self, now: float, *, provider_reason: int | None = None) -> None:
        """End at once. provider_reason: Reason/Diag when the fault is the peer's; None: the user's abort."""
        if provider_reason is None:
            self._fire(Event.ABORT_REQUEST, now)
        else:
            self._fire(Event.INVALID_PDU, now, provider_reason)

    # ------------------------------------------------------------------------------ the table

    def _fire(self, event: Event, now: float, reason: int = UNEXPECTED_PDU) -> str:
        """Run one event through Table 9-10 and do the part of its action that is not the user's."""
        second = event == Event.RELEASE_RQ and self.acceptor
        action, self.state = transition(self.state, event, second=second)
        if action in ("AA-1", "AA-7", "AA-8"):
            # AA-1 answers what came before an association existed, or is the user's own abort
            source = SERVICE_USER if event == Event.ABORT_REQUEST else SERVICE_PROVIDER
            self._outgoing.append(codec.encode(Abort(source, 0 if source == SERVICE_USER else reason)))
        if action == "AE-5":
            self.deadline = now + self._artim_s
        elif self.state == State.STA13 and action != "AA-6" and self.deadline is None:
            self.deadline = now + self._closing_s
        elif self.state not in (State.STA2, State.STA13):
            self.deadline = None
        elif action == "AA-1":
            self.deadline = now + self._closing_s
        return action

    def _accepted(self, accept: AssociationAccept) -> None:
        assert self.request is not None
        self.accept = accept
        proposals = {context.context_id: context for context in self.request.contexts}
        for result in accept.results:
            proposal = proposals.get(result.context_id)
            if result.result == ACCEPTANCE and proposal is not None:
                if result.transfer_syntax not in proposal.transfer_syntaxes:
                    raise PeerError(f"context {result.context_id}: accepted with a syntax not proposed", 6)
                self.contexts[result.context_id] = Context(
                    result.context_id, proposal.abstract_syntax, result.transfer_syntax
                )
        peer = self.request.user if self.acceptor else accept.user
        if 0 < peer.max_length < LENGTH_MIN:
            raise PeerError(f"Maximum Length {peer.max_length} leaves no room for data", 6)
        self.peer_length_max = min(peer.max_length or SENT_LENGTH_MAX, SENT_LENGTH_MAX) & ~1  # PS3.8 E.2
