"""A DICOM acceptor over plain sockets whose behaviour is a function: honest, counting or hostile.

`RawServer(behaviour)` listens on a free loopback port and runs `behaviour(connection)` in a thread
for every connection. `accept_and_store` is the honest one: it keeps what it gets, byte for byte.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from tests.support import rawpdu
from tests.support.rawcommand import Element, Field, Message, response
from tests.support.rawdicom import ConnectionEnded, RawAssociation, UnexpectedPdu
from tests.support.rawpdu import AssociatePdu, Proposal, Verdict

WAKE_SECONDS = 2.0  # for a behaviour that waits for something else than its peer


class ServerConnection(RawAssociation):
    """One accepted connection; `request` is the A-ASSOCIATE-RQ once it is read."""

    request: AssociatePdu

    def read_request(self) -> AssociatePdu:
        """Read the A-ASSOCIATE-RQ."""
        pdu_type, body = self.read_pdu()
        if pdu_type != rawpdu.ASSOCIATE_RQ:
            raise ConnectionEnded(f"PDU {pdu_type} where an A-ASSOCIATE-RQ was due")
        self.request = rawpdu.parse_associate(body)
        self.pdu_max = self.request.max_pdu_length
        return self.request

    def accept(
        self, choose: Callable[[Proposal], Verdict] | None = None, max_pdu_length: int = 65536
    ) -> None:
        """Answer with an A-ASSOCIATE-AC; by default every context with its first transfer syntax."""
        verdicts = [(choose or first_syntax)(proposal) for proposal in self.request.proposals]
        self.contexts = {proposal.context_id: proposal for proposal in self.request.proposals}
        self.accepted = {v.context_id: v.transfer_syntax for v in verdicts if v.result == 0}
        roles = b"".join(rawpdu.item(kind, value) for kind, value in self.request.user_items if kind == 0x54)
        self.send(rawpdu.associate_ac(self.request, verdicts, max_pdu_length, roles))

    def respond(self, to: Message, status: int) -> None:
        """Answer a request without a Data Set."""
        self.send_command(to.context_id, response(to, status))

    def next_request(self) -> Message | None:
        """The next message, or None after a release (which is answered) or an end."""
        try:
            return self.read_message()
        except UnexpectedPdu as error:
            if error.pdu_type == rawpdu.RELEASE_RQ:
                self.send(rawpdu.release_rp())
        except (ConnectionEnded, TimeoutError):
            pass  # an end that the peer chose; what it reports is the test's business
        return None


def first_syntax(proposal: Proposal) -> Verdict:
    """Accept a context with the first transfer syntax that it proposes."""
    return Verdict(proposal.context_id, 0, proposal.transfer_syntaxes[0])


def only_syntaxes(*wanted: str) -> Callable[[Proposal], Verdict]:
    """Accept a context with the first proposed syntax that is wanted, else result 4."""

    def choose(proposal: Proposal) -> Verdict:
        for syntax in proposal.transfer_syntaxes:
            if syntax in wanted:
                return Verdict(proposal.context_id, 0, syntax)
        return Verdict(proposal.context_id, 4, proposal.transfer_syntaxes[0])

    return choose


@dataclass(frozen=True)
class Received:
    """An instance that the sink got: its Data Set's bytes as they came."""

    sop_class: str
    sop_instance: str
    transfer_syntax: str
    data: bytes


@dataclass
class Sink:
    """An honest Storage SCP that keeps everything in memory; pass `sink.serve` to RawServer."""

    choose: Callable[[Proposal], Verdict] = first_syntax
    max_pdu_length: int = 65536
    received: list[Received] = field(default_factory=list)
    associations: list[AssociatePdu] = field(default_factory=list)

    def serve(self, connection: ServerConnection) -> None:
        """Accept, store and answer until the peer releases."""
        self.associations.append(connection.read_request())
        connection.accept(self.choose, self.max_pdu_length)
        while (message := connection.next_request()) is not None:
            if message.field == Field.C_STORE:
                self.received.append(_received(connection, message))
            connection.respond(message, 0)

    def by_instance(self) -> dict[str, Received]:
        """What came, by SOP Instance UID."""
        return {one.sop_instance: one for one in self.received}


def _received(connection: ServerConnection, message: Message) -> Received:
    return Received(
        message.text(Element.AFFECTED_SOP_CLASS_UID),
        message.text(Element.AFFECTED_SOP_INSTANCE_UID),
        connection.accepted[message.context_id],
        message.data or b"",
    )


class RawServer:
    """Listens on a free loopback port; `behaviour` runs in a thread for each connection."""

    def __init__(self, behaviour: Callable[[ServerConnection], None], timeout_s: float = 30.0) -> None:
        self.behaviour = behaviour
        self.timeout_s = timeout_s
        self.errors: list[Exception] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._listener.getsockname()[1]
        self._open: list[tuple[ServerConnection, threading.Thread]] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:  # closed by __exit__
                return
            connection = ServerConnection(sock, self.timeout_s)
            thread = threading.Thread(target=self._run, args=(connection,), daemon=True)
            self._open.append((connection, thread))
            thread.start()

    def _run(self, connection: ServerConnection) -> None:
        try:
            self.behaviour(connection)
        except (ConnectionEnded, TimeoutError):
            pass  # the peer's right; the test looks at what the peer reports
        except Exception as error:
            self.errors.append(error)
        finally:
            connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
        self._listener.close()
        for connection, _ in self._open:
            with contextlib.suppress(OSError):  # closed already
                connection.sock.shutdown(socket.SHUT_RDWR)  # wakes whoever reads or writes
        for connection, thread in self._open:
            thread.join(WAKE_SECONDS)  # before its descriptor goes: that would be an error of ours
            connection.close()
        if self.errors and error is None:
            raise self.errors[0]


def closed_port() -> int:
    """A loopback port on which nobody listens (it was free a moment ago)."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
