"""A DICOM requestor over a plain socket: no DICOM library, nothing checked, everything can be sent wrong.

`RawConnection` moves bytes and whole PDUs; `RawAssociation` speaks DIMSE on top of it. Both set
TCP_NODELAY and TCP_QUICKACK, so that what is measured with them is the peer and not a delayed ACK.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Self

from tests.support import rawpdu
from tests.support.rawcommand import Element, Field, Message, Value, cancel, parse_command, request
from tests.support.rawpdu import AssociatePdu, Proposal

VERIFICATION = "1.2.840.10008.1.1"
PATIENT_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.1.1"
PATIENT_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.1.2"
PATIENT_ROOT_GET = "1.2.840.10008.5.1.4.1.2.1.3"
STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
STUDY_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
STUDY_ROOT_GET = "1.2.840.10008.5.1.4.1.2.2.3"
CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
IMPLICIT_LE = "1.2.840.10008.1.2"
EXPLICIT_LE = "1.2.840.10008.1.2.1"
EXPLICIT_BE = "1.2.840.10008.1.2.2"
DEFLATED_LE = "1.2.840.10008.1.2.1.99"
PENDING = (0xFF00, 0xFF01)


class ConnectionEnded(Exception):
    """The peer closed or reset the connection."""


class Aborted(ConnectionEnded):
    """The peer sent an A-ABORT; `reason` as in PS3.8 9.3.8."""

    def __init__(self, source: int, reason: int) -> None:
        super().__init__(f"A-ABORT source {source} reason {reason}")
        self.source = source
        self.reason = reason


class Rejected(Exception):
    """The peer answered with an A-ASSOCIATE-RJ. PS3.8 9.3.4."""

    def __init__(self, result: int, source: int, reason: int) -> None:
        super().__init__(f"A-ASSOCIATE-RJ result {result} source {source} reason {reason}")
        self.verdict = (result, source, reason)


class UnexpectedPdu(Exception):
    """A PDU that does not belong where it came; `pdu_type` says which."""

    def __init__(self, pdu_type: int, wanted: str) -> None:
        super().__init__(f"PDU type {pdu_type} where {wanted} was due")
        self.pdu_type = pdu_type


class RawConnection:
    """A TCP connection that sends what it is told and reads whole PDUs."""

    def __init__(self, sock: socket.socket, timeout_s: float = 10.0) -> None:
        self.sock = sock
        self._unread = bytearray()
        sock.settimeout(timeout_s)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._quick_ack()

    @classmethod
    def open(cls, port: int, host: str = "127.0.0.1", timeout_s: float = 10.0) -> Self:
        """Connect; raises OSError when nobody listens."""
        return cls(socket.create_connection((host, port), timeout_s), timeout_s)

    def _quick_ack(self) -> None:
        if hasattr(socket, "TCP_QUICKACK"):  # Linux; not sticky, so it is set again at every read
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def send(self, *parts: bytes) -> None:
        """Send the bytes; raises ConnectionEnded when the peer no longer takes them."""
        try:
            for part in parts:
                self.sock.sendall(part)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise ConnectionEnded(str(error)) from error

    def trickle(self, data: bytes, pause_s: float, piece: int = 1) -> None:
        """Send `data` in pieces with a pause after each."""
        for start in range(0, len(data), piece):
            self.send(data[start : start + piece])
            time.sleep(pause_s)

    def _read_exactly(self, count: int) -> bytes:
        while len(self._unread) < count:
            try:
                more = self.sock.recv(1 << 18)
                self._quick_ack()
            except ConnectionResetError as error:
                raise ConnectionEnded("reset by peer") from error
            if not more:
                raise ConnectionEnded(f"closed by peer with {len(self._unread)} bytes of a PDU read")
            self._unread += more
        taken = bytes(self._unread[:count])
        del self._unread[:count]
        return taken

    def read_pdu(self) -> tuple[int, bytes]:
        """Type and body of the next PDU; raises ConnectionEnded or TimeoutError."""
        pdu_type, length = struct.unpack(">BxI", self._read_exactly(rawpdu.HEADER_SIZE))
        return pdu_type, self._read_exactly(length)

    def read_to_end(self, within_s: float) -> list[int]:
        """The types of all PDUs until the peer closes; raises TimeoutError when it does not."""
        deadline = time.monotonic() + within_s
        types: list[int] = []
        while True:
            self.sock.settimeout(max(deadline - time.monotonic(), 0.001))
            try:
                types.append(self.read_pdu()[0])
            except ConnectionEnded:
                return types

    def reset(self) -> None:
        """Close with a RST, as a crashed peer's host does."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self) -> None:
        """Close the socket."""
        self.sock.close()


class RawAssociation(RawConnection):
    """An association as the requestor. `contexts` and `accepted` are filled in by `associate`."""

    def __init__(self, sock: socket.socket, timeout_s: float = 10.0) -> None:
        super().__init__(sock, timeout_s)
        self.contexts: dict[int, Proposal] = {}
        self.accepted: dict[int, str] = {}
        self.answer: AssociatePdu | None = None
        self.pdu_max = 16384
        self._next_message_id = 1

    @classmethod
    def to(
        cls,
        port: int,
        proposals: Iterable[Proposal | str] = (VERIFICATION,),
        *,
        called: str = "FASTDICOM",
        calling: str = "RAWPEER",
        timeout_s: float = 10.0,
        max_pdu_length: int = 16384,
        user_items: bytes = b"",
    ) -> Self:
        """Connect and associate; plain UIDs are proposed with Implicit VR Little Endian.

        Raises Rejected, Aborted, ConnectionEnded, TimeoutError or OSError.
        """
        association = cls.open(port, timeout_s=timeout_s)
        try:
            association.associate(
                proposals,
                called=called,
                calling=calling,
                max_pdu_length=max_pdu_length,
                user_items=user_items,
            )
        except BaseException:
            association.close()
            raise
        return association

    def associate(
        self,
        proposals: Iterable[Proposal | str],
        *,
        called: str = "FASTDICOM",
        calling: str = "RAWPEER",
        max_pdu_length: int = 16384,
        user_items: bytes = b"",
    ) -> None:
        """Send the A-ASSOCIATE-RQ and take its answer."""
        numbered = _numbered(proposals)
        self.contexts = {proposal.context_id: proposal for proposal in numbered}
        self.send(rawpdu.associate_rq(numbered, called, calling, max_pdu_length, user_items))
        self.take_answer()

    def take_answer(self) -> None:
        """Read the A-ASSOCIATE-AC; raises Rejected or Aborted for the other answers."""
        pdu_type, body = self.read_pdu()
        if pdu_type == rawpdu.ASSOCIATE_RJ:
            raise Rejected(body[1], body[2], body[3])
        self._refuse_abort(pdu_type, body)
        if pdu_type != rawpdu.ASSOCIATE_AC:
            raise UnexpectedPdu(pdu_type, "an answer to A-ASSOCIATE-RQ")
        self.answer = rawpdu.parse_associate(body)
        self.pdu_max = self.answer.max_pdu_length
        self.accepted = {v.context_id: v.transfer_syntax for v in self.answer.verdicts if v.result == 0}

    @staticmethod
    def _refuse_abort(pdu_type: int, body: bytes) -> None:
        if pdu_type == rawpdu.ABORT:
            raise Aborted(body[2], body[3])

    def context_for(self, abstract_syntax: str, transfer_syntax: str | None = None) -> int:
        """The accepted context of a class (and syntax); raises LookupError when there is none."""
        for context_id, accepted in self.accepted.items():
            wanted = transfer_syntax in (None, accepted)
            if self.contexts[context_id].abstract_syntax == abstract_syntax and wanted:
                return context_id
        raise LookupError(f"no accepted context for {abstract_syntax} {transfer_syntax or ''}")

    def message_id(self) -> int:
        """A fresh Message ID."""
        self._next_message_id += 1
        return self._next_message_id - 1

    def send_command(self, context_id: int, command: bytes) -> None:
        """Send a Command Set, cut to the peer's maximum length."""
        self.send(*rawpdu.fragments(context_id, command, command=True, pdu_max=self.pdu_max))

    def send_data(self, context_id: int, data: bytes, *, last: bool = True) -> None:
        """Send (a part of) a Data Set, cut to the peer's maximum length."""
        self.send(*rawpdu.fragments(context_id, data, command=False, pdu_max=self.pdu_max, last=last))

    def read_message(self) -> Message:
        """The next DIMSE message; raises Aborted, UnexpectedPdu, ConnectionEnded or TimeoutError."""
        command, data = bytearray(), bytearray()
        message: Message | None = None
        while True:
            pdu_type, body = self.read_pdu()
            self._refuse_abort(pdu_type, body)
            if pdu_type != rawpdu.P_DATA:
                raise UnexpectedPdu(pdu_type, "P-DATA")
            for context_id, control, fragment in rawpdu.pdvs_of(body):
                (command if control & rawpdu.COMMAND_FRAGMENT else data).extend(fragment)
                if control == rawpdu.COMMAND_FRAGMENT | rawpdu.LAST_FRAGMENT:
                    message = Message(context_id, parse_command(bytes(command)))
                done = control & rawpdu.LAST_FRAGMENT
                if message and done and not message.has_data:
                    return message
                if message and done and not control & rawpdu.COMMAND_FRAGMENT:
                    return Message(message.context_id, message.command, bytes(data))

    def echo(self) -> int:
        """C-ECHO; the status."""
        context_id = self.context_for(VERIFICATION)
        self.send_command(context_id, request(Field.C_ECHO, VERIFICATION, self.message_id(), data=False))
        return self.read_message().status

    def send_store(self, sop_class: str, instance: str, data: bytes, context_id: int) -> None:
        """C-STORE-RQ and its Data Set, without waiting for the response."""
        more: dict[int, Value] = {Element.AFFECTED_SOP_INSTANCE_UID: instance}
        command = request(Field.C_STORE, sop_class, self.message_id(), data=True, more=more)
        self.send_command(context_id, command)
        self.send_data(context_id, data)

    def store(self, sop_class: str, instance: str, data: bytes, context_id: int | None = None) -> Message:
        """C-STORE; the response."""
        context = context_id if context_id is not None else self.context_for(sop_class)
        self.send_store(sop_class, instance, data, context)
        return self.read_message()

    def query(self, field: Field, model: str, identifier: bytes, more: dict[int, Value] | None = None) -> int:
        """Send a C-FIND, C-MOVE or C-GET request; its Message ID."""
        context_id, message_id = self.context_for(model), self.message_id()
        self.send_command(context_id, request(field, model, message_id, data=True, more=more))
        self.send_data(context_id, identifier)
        return message_id

    def responses(self) -> Iterator[Message]:
        """The responses to one request, up to and with the final one."""
        while True:
            message = self.read_message()
            yield message
            if message.status not in PENDING:
                return

    def find(self, model: str, identifier: bytes) -> list[Message]:
        """C-FIND; all responses."""
        self.query(Field.C_FIND, model, identifier)
        return list(self.responses())

    def move(self, model: str, identifier: bytes, destination: str) -> list[Message]:
        """C-MOVE; all responses."""
        self.query(Field.C_MOVE, model, identifier, {Element.MOVE_DESTINATION: destination})
        return list(self.responses())

    def send_cancel(self, model: str, message_id: int) -> None:
        """C-CANCEL-RQ for a request that is under way."""
        self.send_command(self.context_for(model), cancel(message_id))

    def release(self) -> None:
        """A-RELEASE, and close; raises UnexpectedPdu for another answer."""
        self.send(rawpdu.release_rq())
        pdu_type, body = self.read_pdu()
        self._refuse_abort(pdu_type, body)
        self.close()
        if pdu_type != rawpdu.RELEASE_RP:
            raise UnexpectedPdu(pdu_type, "A-RELEASE-RP")

    def abort(self) -> None:
        """A-ABORT, and close."""
        with contextlib.suppress(ConnectionEnded):
            self.send(rawpdu.abort())
        self.close()


def _numbered(proposals: Iterable[Proposal | str]) -> list[Proposal]:
    return [
        Proposal(2 * at + 1, entry, (IMPLICIT_LE,)) if isinstance(entry, str) else entry
        for at, entry in enumerate(proposals)
    ]


def seconds_to_echo(port: int, called: str = "FASTDICOM", timeout_s: float = 10.0) -> float:
    """How long a fresh association with one C-ECHO takes; raises when it does not succeed."""
    start = time.monotonic()
    with RawAssociation.to(port, called=called, calling="ECHOPEER", timeout_s=timeout_s) as association:
        status = association.echo()
        association.release()
    if status:
        raise ValueError(f"C-ECHO status {status:04X}H")
    return time.monotonic() - start
