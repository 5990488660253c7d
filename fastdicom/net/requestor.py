"""Our own outgoing associations. PS3.8 7.1, PS3.7 9.1."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Container, Generator, Iterable, Sequence
from typing import Protocol, Self

from fastdicom.dimse import messages
from fastdicom.dimse.assembler import Begin, Data
from fastdicom.errors import (
    AssociationAborted,
    AssociationRejected,
    ConnectionLost,
    NoResponse,
    PeerError,
    Refused,
)
from fastdicom.kernels.pdu import PduReader
from fastdicom.net.connection import Buffer, Connection, Timing
from fastdicom.net.tls import ClientTls
from fastdicom.net.tls_transport import TlsTransport
from fastdicom.net.transport import Transport, Watch
from fastdicom.standard.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from fastdicom.standard.status import is_pending
from fastdicom.upperlayer.association import (
    Association,
    AssociationEvent,
    Context,
    Fault,
    TimerExpired,
    TransportClosed,
)
from fastdicom.upperlayer.pdus import (
    Abort,
    AssociationAccept,
    AssociationReject,
    AssociationRequest,
    ExtendedNegotiation,
    PresentationContext,
    ReleaseRequest,
    ReleaseResponse,
    RoleSelection,
    UserIdentity,
    UserInformation,
    describe_reject,
)

_BUFFER = 64 * 1024
_MAX_LENGTH = 256 * 1024
RESPONSE_LENGTH_MAX = 16 << 20  # of one C-FIND, C-MOVE or C-GET response
STORE_WINDOW = 8  # instances on their way at once, where the peer grants it
Proposal = tuple[str, tuple[str, ...]]
"""(abstract syntax, transfer syntaxes) of one presentation context."""


class Receiving(Protocol):
    """Where an instance that C-GET brings goes."""

    def write(self, piece: memoryview | bytes) -> None:
        """The next piece of its Data Set, borrowed for the call."""

    def finish(self) -> int:
        """It is whole; the status to answer with."""


class ClientAssociation(Connection):
    """The requestor's end: open, ask, release. Used by one thread."""

    proposals: list[Proposal]
    _window = 1

    @classmethod
    def open(
        cls,
        host: str,
        port: int,
        *,
        called: str,
        calling: str,
        proposals: Sequence[Proposal],
        timing: Timing | None = None,
        watch: Watch | None = None,
        max_length: int = _MAX_LENGTH,
        scp_classes: Sequence[str] = (),
        extended: Sequence[ExtendedNegotiation] = (),
        window: int = 1,
        tls: ClientTls | None = None,
        user_identity: UserIdentity | None = None,
    ) -> Self:
        """Connect and associate. scp_classes: for which we want to be the SCP (C-GET). extended: proposed.

        window: how many requests we would like to have on their way at once.

        Raises ConnectionLost (no connection, no answer in time), TlsError, AssociationRejected,
        AssociationAborted.
        """
        timing = timing or Timing()
        transport = _transport(host, port, timing.connect_s, tls)
        transport.watch = watch
        transport.acknowledges_at_once = True
        association = Association(
            PduReader(_BUFFER, max_length, 1 << 20),
            acceptor=False,
            artim_s=timing.artim_s,
            closing_s=min(2.0, timing.artim_s),
            now=time.monotonic(),
        )
        self = cls(transport, association, timing)
        self.proposals = list(proposals)
        self._window = window
        request = AssociationRequest(
            called_ae_title=called,
            calling_ae_title=calling,
            contexts=tuple(
                PresentationContext(2 * number + 1, abstract, tuple(syntaxes))
                for number, (abstract, syntaxes) in enumerate(proposals)
            ),
            user=UserInformation(
                max_length=max_length,
                implementation_class_uid=IMPLEMENTATION_CLASS_UID,
                implementation_version_name=IMPLEMENTATION_VERSION_NAME,
                asynchronous_operations=(window, 1) if window > 1 else None,
                roles=tuple(RoleSelection(uid, False, True) for uid in scp_classes),
                user_identity=user_identity,
                extended=tuple(extended),
            ),
        )
        try:
            association.ask(request, self.clock())
            self.flush()
            self._await_answer()
        except BaseException:
            transport.close()
            raise
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.release()
        else:
            self.abort()

    # ------------------------------------------------------------------------------ what was agreed

    def context_for(self, abstract_syntax: str) -> tuple[int, str]:
        """(context ID, transfer syntax) of an accepted class. Raises Refused when it was not accepted."""
        for context in self.association.contexts.values():
            if context.abstract_syntax == abstract_syntax:
                return context.context_id, context.transfer_syntax
        raise Refused(0x0122, f"the peer did not accept SOP class {abstract_syntax}")

    def extended(self, sop_class_uid: str) -> bytes:
        """What the peer granted of an extended negotiation, b"" for nothing. PS3.7 D.3.3.5."""
        accept = self.association.accept
        assert accept is not None
        granted = (item for item in accept.user.extended if item.sop_class_uid == sop_class_uid)
        return next((item.information for item in granted), b"")

    def transfer_syntaxes(self, sop_class_uid: str) -> dict[str, int]:
        """Accepted transfer syntax -> presentation context ID, for one class."""
        return {
            context.transfer_syntax: context.context_id
            for context in reversed(self.association.contexts.values())
            if context.abstract_syntax == sop_class_uid
        }

    # ------------------------------------------------------------------------------ messages

    def ask(
        self, context_id: int, request: messages.Request, dataset: bytes | None = None
    ) -> Generator[tuple[messages.Response, bytes | None]]:
        """Send a request; yields its responses with their Data Sets until the last one."""
        self.send_message(context_id, request, dataset)
        while True:
            message, data = self.next_message()
            response = self._response(message, (getattr(request, "message_id", 0),))
            yield response, data
            if not is_pending(response.status):
                return

    @property
    def window(self) -> int:
        """How many requests may be without a response, as far as we want to. PS3.7 D.3.3.3."""
        accept = self.association.accept
        granted = accept.user.asynchronous_operations if accept is not None else None
        if self._window == 1 or granted is None:
            return 1
        return min(granted[0] or self._window, self._window)  # 0: no limit

    def send_store(self, context_id: int, request: messages.CStoreRequest, body: Iterable[Buffer]) -> None:
        """Send one instance. What `body` raises goes through; the association is aborted then."""
        try:
            self.send_with_body(context_id, request, body)
        except ConnectionLost:
            raise
        except BaseException:
            self.abort()
            raise

    def store_response(self, awaited: Container[int]) -> messages.Response:
        """Wait for the response to one of the awaited requests."""
        try:
            return self._response(self.next_message()[0], awaited)
        except PeerError as error:  # it was aborted for it
            raise ConnectionLost(f"the peer broke the protocol: {error}") from error

    def retrieve(
        self,
        context_id: int,
        request: messages.CGetRequest,
        identifier: bytes,
        receive: Callable[[messages.CStoreRequest, str], Receiving],
    ) -> Generator[tuple[messages.Response, bytes | None]]:
        """C-GET: yields its responses; in between, instances come and go to what `receive` returns.

        receive: called with each C-STORE request and its transfer syntax.
        """
        self.send_message(context_id, request, identifier)
        receiving: Receiving | None = None
        store: messages.CStoreRequest | None = None
        response: messages.Response | None = None
        data = bytearray()
        while True:
            for event in self._receive_or_give_up():
                if not isinstance(event, tuple):
                    self._ended(event)
                    continue
                step = self._feed(event)
                if isinstance(step, Begin) and isinstance(step.message, messages.CStoreRequest):
                    store = step.message
                    store_context = self._accepted_context(step.context_id)
                    receiving = receive(store, store_context.transfer_syntax)
                elif isinstance(step, Begin):
                    response = self._response(step.message, (request.message_id,))
                elif isinstance(step, Data) and receiving is not None:
                    receiving.write(step.piece)
                elif isinstance(step, Data):
                    self._hold(data, step.piece)
                if not self.assembler.idle or step is None:
                    continue
                if receiving is not None and store is not None:
                    self._answer_store(store_context.context_id, store, receiving.finish())
                    receiving = store = None
                elif response is not None:
                    yield response, bytes(data) or None
                    if not is_pending(response.status):
                        return
                    response = None

    def _accepted_context(self, context_id: int) -> Context:
        context = self.association.contexts.get(context_id)
        if context is None:
            self.abort(provider_reason=5)
            raise PeerError(f"a message on presentation context {context_id}, which was not accepted", 5)
        return context

    def _feed(self, event: tuple[int, int, memoryview | bytes]) -> Begin | Data | None:
        """The assembler's step; what breaks the protocol ends the association."""
        try:
            return self.assembler.feed(*event)
        except PeerError as error:
            self.abort(provider_reason=error.abort_reason)
            raise

    def _hold(self, data: bytearray, piece: memoryview | bytes) -> None:
        """Collect a response's Data Set, up to a ceiling."""
        if len(data) + len(piece) > RESPONSE_LENGTH_MAX:
            self.abort(provider_reason=0)
            raise PeerError(f"a response with a Data Set of more than {RESPONSE_LENGTH_MAX} bytes")
        data += piece

    def _answer_store(self, context_id: int, request: messages.CStoreRequest, code: int) -> None:
        response = messages.Response(
            messages.C_STORE_RSP, request.message_id, code, request.sop_class_uid, request.sop_instance_uid
        )
        self.send_message(context_id, response)

    def _response(self, message: messages.Message, awaited: Container[int]) -> messages.Response:
        if not isinstance(message, messages.Response) or message.responded_to not in awaited:
            self.abort(provider_reason=2)
            raise PeerError("the peer sent something else than the response that was due", 2)
        return message

    def next_message(self) -> tuple[messages.Message, bytes | None]:
        """The next whole message. Its Data Set is in memory: for responses and small requests."""
        message: messages.Message | None = None
        data = bytearray()
        until = self.clock() + self.timing.response_s  # for all of it, however steadily it drips
        while True:
            events = self._receive_or_give_up(until)
            for number, event in enumerate(events):
                if not isinstance(event, tuple):
                    self._ended(event)
                    continue
                step = self._feed(event)
                if isinstance(step, Begin):
                    message = step.message
                elif isinstance(step, Data):
                    self._hold(data, step.piece)
                if message is not None and self.assembler.idle:
                    self.keep(events[number + 1 :])
                    return message, bytes(data) if message.has_dataset else None

    def _receive_or_give_up(self, until: float | None = None) -> list[AssociationEvent]:
        """The next events. until: when there have to be some; None: within the time for a response."""
        left = self.timing.response_s if until is None else until - self.clock()
        try:
            if left <= 0:
                raise TimeoutError
            return self.receive(left)
        except TimeoutError:
            self.abort()
            raise NoResponse(f"no response for {self.timing.response_s:g} s") from None

    # ------------------------------------------------------------------------------ begin and end

    def _await_answer(self) -> None:
        until = self.clock() + self.timing.response_s
        while True:
            try:
                events = self._receive_or_give_up(until)
            except NoResponse:
                raise
            except ConnectionLost as error:
                if self.transport.secure:
                    raise
                raise ConnectionLost(f"{error}{self._tls_hint}") from error
            for event in events:
                if isinstance(event, AssociationAccept):
                    return
                if isinstance(event, TransportClosed):
                    raise ConnectionLost(f"the peer closed the connection without an answer{self._tls_hint}")
                self._ended(event)

    @property
    def _tls_hint(self) -> str:
        """What may be the matter with a peer that says nothing to a plain A-ASSOCIATE-RQ."""
        return "" if self.transport.secure else "; does its port speak TLS?"

    def _ended(self, event: AssociationEvent) -> None:
        """Raise what an event means that ends the association."""
        if isinstance(event, AssociationReject):
            raise AssociationRejected(
                f"association rejected: {describe_reject(event)}", event.result, event.source, event.reason
            )
        if isinstance(event, Abort):
            raise AssociationAborted("the peer aborted the association", event.source, event.reason)
        if isinstance(event, Fault):
            raise ConnectionLost(f"the peer broke the protocol: {event.error}")
        if isinstance(event, ReleaseRequest):
            if self.association.awaits_release_response:
                self.association.answer_release(self.clock())
                self.flush()
            raise ConnectionLost("the peer released the association")
        if isinstance(event, TransportClosed | TimerExpired):
            raise ConnectionLost("the peer closed the connection")

    def release(self) -> None:
        """End the association in order; the transport is closed whatever the peer does."""
        try:
            if self.association.established:
                self.association.ask_release(self.clock())
                self.flush()
                self._await_release()
        except (ConnectionLost, TimeoutError, PeerError):
            return  # there was nothing left to lose
        finally:
            self.transport.close()

    def _await_release(self) -> None:
        until = self.clock() + self.timing.response_s
        while not self.association.closed and self.clock() < until:
            events = self.receive(max(0.001, until - self.clock()))
            if self.association.awaits_release_response:  # a release collision, PS3.8 9.2
                events += self.association.answer_release(self.clock())
                self.flush()
            if any(isinstance(event, ReleaseResponse | Abort | TransportClosed) for event in events):
                return

    def abort(self, *, provider_reason: int | None = None) -> None:
        """End the association at once."""
        try:
            if self.association.may_abort:
                self.association.abort(self.clock(), provider_reason=provider_reason)
                self.flush()
        except ConnectionLost:
            return  # the peer was faster
        finally:
            self.transport.close()


def _transport(host: str, port: int, timeout_s: float, tls: ClientTls | None) -> Transport:
    """A connection, with TLS when it is asked for and the peer the one that is meant."""
    sock = _connected(host, port, timeout_s)
    if tls is None:
        return Transport(sock)
    transport = TlsTransport(sock, tls.context, server_side=False, server_hostname=host)
    try:
        transport.start(timeout_s)
        tls.check(transport.peer)
    except BaseException:
        transport.close()
        raise
    return transport


def _connected(host: str, port: int, timeout_s: float) -> socket.socket:
    try:
        return socket.create_connection((host, port), timeout=timeout_s)
    except (OSError, UnicodeError) as error:  # no name can have a part of 64 letters
        reason = getattr(error, "strerror", None) or error  # first: an Error Comment has 64 characters
        raise ConnectionLost(f"cannot connect: {reason} ({host}:{port})") from error
