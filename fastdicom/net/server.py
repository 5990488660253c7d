"""An association that somebody opened with us: negotiate, then serve one message after the other."""

from __future__ import annotations

import logging
from collections.abc import Callable, Container, Generator, Iterable
from typing import Protocol

from fastdicom.dimse import messages
from fastdicom.dimse.assembler import Begin, Data
from fastdicom.errors import ConnectionLost, FastdicomError, NoResponse, PeerError
from fastdicom.events import ABORTED, FAILED, LOST, RELEASED, STOPPED, VIOLATED
from fastdicom.kernels import turnstile
from fastdicom.net.connection import Buffer, Connection
from fastdicom.net.tls import TlsError
from fastdicom.upperlayer.association import AssociationEvent, Context, Fault, TransportClosed
from fastdicom.upperlayer.pdus import (
    Abort,
    AssociationAccept,
    AssociationReject,
    AssociationRequest,
    ReleaseRequest,
    describe_reject,
)

log = logging.getLogger(__name__)

_BATCH = 64 * 1024  # bytes of answers that wait for each other
_BATCH_S = 0.005  # and how long


class Replying(Protocol):
    """One response: see services.ports.Reply."""

    @property
    def command(self) -> bytes: ...
    @property
    def dataset(self) -> bytes | None: ...


class Serving(Protocol):
    """One request being served: see services.ports.Operation."""

    @property
    def batched(self) -> bool: ...

    def data(self, piece: memoryview | bytes) -> None: ...
    def flush(self) -> None: ...
    def end(self) -> Iterable[Replying]: ...
    def cancel(self) -> None: ...
    def abandon(self) -> None: ...


Decide = Callable[["ServerConnection", AssociationRequest], AssociationAccept | AssociationReject]
BeginRequest = Callable[["ServerConnection", Context, messages.Request], Serving | None]


class ServerConnection(Connection):
    """The acceptor's end. `run` is the whole life of its thread.

    decide: what to answer an association request. begin: a request to the operation that serves it.
    """

    decide: Decide
    begin: BeginRequest
    number = 0
    address = ""
    untrusted = ""  # why there is no TLS with it
    name = "?"  # for logs: calling AE title, once known
    failed = False
    how, why = LOST, ""  # how it ended: one of events.ENDINGS, and in words

    _operation: Serving | None = None
    _replies: Iterable[Replying] = ()
    _context: Context
    _message_id = 0
    _message_since = 0.0
    _cancelled = False
    _steps = 0

    def run(self) -> None:
        """Serve until either end has had enough; raises nothing."""
        self.transport.takes_turns = True
        try:
            if self._establish():
                self._serve()
        except PeerError as error:
            self._fail(VIOLATED, f"broke the protocol: {error}")
            self._abort(error.abort_reason)
        except TlsError as error:
            self.untrusted = str(error)
            self._fail(LOST, self.untrusted)
        except (ConnectionLost, TimeoutError) as error:
            self._fail(LOST, str(error) or "was silent for too long")
        except Exception as error:
            self.failed = True
            self.how, self.why = FAILED, f"a fault of ours: {type(error).__name__}"
            log.exception("association %d with %s: our fault, it is aborted", self.number, self.name)
            self._abort(0)
        finally:
            turnstile.leave()
            self._abandon()
            self.transport.close()

    def stop(self) -> None:
        """From another thread: end as soon as the message at hand is served."""
        self.stopping = True
        if self.idle:
            self.transport.stop_reading()

    @property
    def idle(self) -> bool:
        """True between messages."""
        return self._operation is None and self.assembler.idle

    @property
    def progress(self) -> int:
        """Grows with every byte and every part of an answer: what does not, hangs."""
        return self.transport.received + self.transport.sent + self._steps

    def moved(self) -> None:
        """A step that is not to be seen in our own bytes: a C-MOVE destination took or said something."""
        self._steps += 1

    # ------------------------------------------------------------------------------ negotiation

    def _establish(self) -> bool:
        """Wait for the whole request until ARTIM ends; answer it. True when there is an association."""
        self.transport.start(self.timing.handshake_s)
        while True:
            deadline = self.association.deadline
            assert deadline is not None
            try:
                events = self.receive(max(0.001, deadline - self.clock()))
            except TimeoutError:
                events = []
            if self.stopping and not events:
                return False
            events = events or self.association.tick(self.clock())
            for number, event in enumerate(events):
                if not isinstance(event, AssociationRequest):
                    self._note_end(event)
                elif self.association.awaits_accept:
                    self.keep(events[number + 1 :])
                    return self._answer(event)
            if events:
                self._linger()
                return False

    def _answer(self, request: AssociationRequest) -> bool:
        self.name = _visible(request.calling_ae_title)
        response = self.decide(self, request)
        self.association.answer(response, self.clock())
        self.flush()
        if isinstance(response, AssociationReject):
            log.warning(
                "association %d: %s at %s asked for %s and was rejected: %s",
                self.number, self.name, self.address, _visible(request.called_ae_title),
                describe_reject(response),
            )  # fmt: skip
            self._linger()
            return False
        log.info("association %d: %s at %s is in", self.number, self.name, self.address)
        return True

    # ------------------------------------------------------------------------------ serving

    def _serve(self) -> None:
        until = self.clock() + self.timing.association_s
        while True:
            if self.stopping and self.idle and not self.queue:
                self._end_idle("the node stops")
                return
            if self._overdue(until):
                return
            try:
                events = self.receive(self._patience())
            except TimeoutError:
                self._silent()
                return
            if not self._handle(events):
                return

    def _overdue(self, until: float) -> bool:
        """Whether the association has had its time; it is ended between two messages, never in one.

        Raises ConnectionLost when the message at hand has had its own: it may come slowly, not for ever.
        """
        now = self.clock()
        if not self.idle:
            if now - self._message_since > self.timing.message_s:
                raise ConnectionLost(f"a message was not whole after {self.timing.message_s:g} s")
            return False
        self._message_since = now
        if now < until or self.queue:
            return False
        self._end_idle(f"it has lasted {self.timing.association_s:g} s")
        return True

    def _patience(self) -> float:
        timing = self.timing
        return timing.idle_s if self.idle else min(timing.idle_s, timing.message_stall_s)

    def _silent(self) -> None:
        if self.idle:
            log.info("association %d: %s said nothing for %g s", self.number, self.name, self.timing.idle_s)
            self.how, self.why = STOPPED, f"it said nothing for {self.timing.idle_s:g} s"
            self._abort(None)
            return
        raise ConnectionLost(f"no byte for {self._patience():g} s inside a message")

    def _handle(self, events: list[AssociationEvent]) -> bool:
        """Serve what came; False when the association is over."""
        for number, event in enumerate(events):
            if isinstance(event, tuple):
                if self._fragment(event):
                    self.keep(events[number + 1 :])
                    self._answer_at_length()
                    return True
            elif isinstance(event, ReleaseRequest) and self.association.awaits_release_response:
                self._release()
                return False
            elif isinstance(event, ReleaseRequest):
                continue  # something worse came right behind it
            else:
                self._note_end(event)
                self._linger()
                return False
        if self._operation is not None:
            self._operation.flush()
        return True

    def _fragment(self, event: tuple[int, int, memoryview | bytes]) -> bool:
        """Take one fragment; True when a request is whole that is answered in several parts."""
        step = self.assembler.feed(*event)
        if step is None:
            return False
        if isinstance(step, Begin):
            self._begin(step)
            if step.message.has_dataset:
                return False
        else:
            assert isinstance(step, Data)
            if self._operation is not None:
                self._operation.data(step.piece)
            if not step.last:
                return False
        return self._end()

    def _begin(self, step: Begin) -> None:
        context = self.association.contexts.get(step.context_id)
        if context is None:
            raise PeerError(f"a message on presentation context {step.context_id}, which was not accepted", 5)
        if isinstance(step.message, messages.Response):
            raise PeerError("a response to nothing that we asked", 2)
        self._context = context
        self._message_id = getattr(step.message, "message_id", 0)
        self._cancelled = False
        self._operation = self.begin(self, context, step.message)

    def _end(self) -> bool:
        """The request is whole: answer it now, unless that may take long."""
        operation = self._operation
        if operation is None:
            return False
        replies = operation.end()
        if not isinstance(replies, list):
            self._replies = replies
            return True
        self.send_framed(
            [self.framed(self._context.context_id, reply.command, reply.dataset) for reply in replies]
        )
        self._operation = None
        return False

    def _answer_at_length(self) -> None:
        """Send the parts of an answer as they come; in between, look for a C-CANCEL."""
        assert self._operation is not None
        turnstile.leave()
        batch: list[bytes] = []
        size = 0
        sent_at = self.clock()
        context_id = self._context.context_id
        batched = self._operation.batched
        for reply in self._replies:
            self._steps += 1
            if reply.command:
                framed = self.framed(context_id, reply.command, reply.dataset)
                batch.append(framed)
                size += len(framed)
            if not batched or size >= _BATCH or self.clock() - sent_at >= _BATCH_S:
                if batch:
                    self.send_framed(batch)
                    batch, size = [], 0
                sent_at = self.clock()
                if not self.wanted():
                    self._operation.cancel()
        if batch:
            self.send_framed(batch)
        self._operation = None

    # ------------------------------------------------------------------------------ services' view

    def wanted(self) -> bool:
        """False once the request at hand was cancelled. Raises ConnectionLost when the peer is gone."""
        self.look_ahead()
        self._search_queue()
        return not self._cancelled

    def fileno(self) -> int:
        """For whoever waits for another peer on this one's behalf."""
        return self.transport.fileno()

    def buffered(self) -> bool:
        """Bytes were read off the descriptor and wait."""
        return self.transport.buffered()

    def check(self) -> None:
        """While waiting for another peer: did this one cancel, or leave?"""
        if not self.wanted():
            raise ConnectionLost("cancelled by the client")

    def _search_queue(self) -> None:
        for event in list(self.queue):
            if isinstance(event, tuple):
                if event[1] == 3 and self._is_cancel(bytes(event[2])):
                    self._cancelled = True
                    self.queue.remove(event)
            elif isinstance(event, TransportClosed | Abort | Fault):
                raise ConnectionLost("the client left before the end")

    def _is_cancel(self, command_set: bytes) -> bool:
        message = messages.decode(command_set)
        return isinstance(message, messages.CCancelRequest) and message.responded_to == self._message_id

    def transfer_syntaxes(self, sop_class_uid: str) -> dict[str, int]:
        """C-GET: on which contexts the peer takes instances of a class, by transfer syntax."""
        request, accept = self.association.request, self.association.accept
        assert request is not None and accept is not None
        if not any(role.sop_class_uid == sop_class_uid and role.scp for role in accept.user.roles):
            return {}
        return {
            context.transfer_syntax: context.context_id
            for context in self.association.contexts.values()
            if context.abstract_syntax == sop_class_uid
        }

    @property
    def window(self) -> int:
        """C-GET: one instance at a time."""
        return 1

    def send_store(self, context_id: int, request: messages.CStoreRequest, body: Iterable[Buffer]) -> None:
        """C-GET: send an instance to the peer that asked."""
        try:
            self.send_with_body(context_id, request, body)
        except ConnectionLost:
            raise
        except FastdicomError as error:
            self._abort(0)
            raise ConnectionLost(f"an instance could not be sent to its end: {error}") from error

    def store_response(self, awaited: Container[int]) -> messages.Response:
        """C-GET: wait for the response, whatever else comes meanwhile."""
        until = self.clock() + self.timing.response_s
        while True:
            try:
                if self.clock() >= until:
                    raise TimeoutError
                events = self.receive(max(0.001, until - self.clock()))
            except TimeoutError:
                raise NoResponse(f"no response for {self.timing.response_s:g} s") from None
            for number, event in enumerate(events):
                response = self._expect_response(event, awaited)
                if response is not None:
                    self.keep(events[number + 1 :])
                    return response

    def _expect_response(self, event: AssociationEvent, awaited: Container[int]) -> messages.Response | None:
        if not isinstance(event, tuple):
            self.keep([event])
            raise ConnectionLost("the client left during C-GET")
        step = self.assembler.feed(*event)
        if not isinstance(step, Begin):
            return None
        if isinstance(step.message, messages.CCancelRequest):
            self._cancelled = self._cancelled or step.message.responded_to == self._message_id
            return None
        message = step.message
        if (
            isinstance(message, messages.Response)
            and message.command_field == messages.C_STORE_RSP
            and message.responded_to in awaited
            and step.context_id in self.association.contexts
        ):
            return message
        raise PeerError("a C-STORE response was due", 2)

    # ------------------------------------------------------------------------------ the end

    def _release(self) -> None:
        self.association.answer_release(self.clock())
        self.flush()
        self.how = RELEASED
        log.info(
            "association %d: %s is out, %d bytes received, %d sent",
            self.number, self.name, self.transport.received, self.transport.sent,
        )  # fmt: skip
        self._linger()

    def _note_end(self, event: AssociationEvent) -> None:
        if isinstance(event, Fault):
            self._fail(VIOLATED, f"broke the protocol: {event.error}")
        elif isinstance(event, Abort):
            self._fail(ABORTED, "aborted")
        elif isinstance(event, TransportClosed):
            if self.association.request is not None:
                self._fail(LOST, "closed the connection without a release")
        else:
            self._fail(LOST, "sent no association request in time")

    def _fail(self, how: str, what: str) -> None:
        self.failed = True
        self.how, self.why = how, what
        log.warning("association %d: %s at %s %s", self.number, self.name, self.address, what)

    def _end_idle(self, why: str) -> None:
        self.how, self.why = STOPPED, why
        log.info("association %d: %s is aborted: %s", self.number, self.name, why)
        self._abort(None)

    def _abort(self, provider_reason: int | None) -> None:
        """Say A-ABORT if that is still possible, and wait a moment for the peer to close."""
        if not self.association.may_abort:
            return  # nobody is there, or everything is said
        try:
            self.association.abort(self.clock(), provider_reason=provider_reason)
            self.flush()
            self._linger()
        except (FastdicomError, OSError) as error:
            log.debug("association %d: %s", self.number, error)

    def _linger(self) -> None:
        """Sta13: the last words are on their way; the peer closes, or we do when ARTIM ends."""
        if self.association.closed:
            return
        self.transport.finish_writing()
        try:
            while not self.association.closed and self.association.deadline is not None:
                left = self.association.deadline - self.clock()
                if left <= 0:
                    return
                self.association.received(
                    self.transport.receive(self.association.space(), max(0.001, left)), self.clock()
                )
                self.association.take_outgoing()
        except (ConnectionLost, TimeoutError):
            return

    def _abandon(self) -> None:
        operation, self._operation = self._operation, None
        if operation is not None:
            operation.abandon()
        if isinstance(self._replies, Generator):
            self._replies.close()  # ends its sub-associations and its snapshot of the index


def _visible(ae_title: str) -> str:
    """For a host's log, which may show lines as they are: nobody writes a second one into it."""
    return ae_title if ae_title.isprintable() else repr(ae_title)
