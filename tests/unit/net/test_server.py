"""An acceptor's connection over a socket pair: messages served in order, and every end it can have."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import pytest

from fastdicom.dimse import messages
from fastdicom.dimse.messages import CCancelRequest, CFindRequest, EchoRequest, Response
from fastdicom.kernels import pdata
from fastdicom.net.connection import Timing
from fastdicom.net.server import ServerConnection
from fastdicom.net.transport import Transport
from fastdicom.upperlayer import codec
from fastdicom.upperlayer.association import Association
from fastdicom.upperlayer.pdus import (
    REJECT_LOCAL_LIMIT,
    Abort,
    AssociationAccept,
    AssociationRequest,
    ContextResult,
    PresentationContext,
    ReleaseRequest,
    ReleaseResponse,
    UserInformation,
)

VERIFICATION = "1.2.840.10008.1.1"
IMPLICIT = "1.2.840.10008.1.2"
REQUEST = AssociationRequest(
    "CALLED",
    "CALLING",
    (PresentationContext(1, VERIFICATION, (IMPLICIT,)),),
    UserInformation(max_length=4096),
)
ACCEPT = AssociationAccept("CALLED", "CALLING", (ContextResult(1, 0, IMPLICIT),), UserInformation())
QUICK = Timing(artim_s=0.3, idle_s=0.3, message_stall_s=0.3, send_stall_s=0.3, response_s=0.3)


class Reply(NamedTuple):
    command: bytes
    dataset: bytes | None = None


class Echoing:
    """Answers with how many bytes of Data Set there were; a C-FIND with as many answers as it likes."""

    batched = False

    def __init__(self, request: messages.Request, log: list[str]) -> None:
        self.request = request
        self.log = log
        self.length = 0
        self.cancelled = False

    def data(self, piece: memoryview | bytes) -> None:
        self.length += len(piece)

    def flush(self) -> None:
        self.log.append("flush")

    def end(self) -> Iterable[Reply]:
        if isinstance(self.request, CFindRequest):
            return self._many()
        return [Reply(messages.encode(Response(0x8030, 1, 0, comment=str(self.length))))]

    def _many(self) -> Iterator[Reply]:
        for _ in range(100_000):
            if self.cancelled:
                break
            time.sleep(0.001)
            yield Reply(messages.encode(Response(0x8020, 1, 0xFF00, has_dataset=True)), b"match")
        yield Reply(messages.encode(Response(0x8020, 1, 0xFE00 if self.cancelled else 0)))

    def cancel(self) -> None:
        self.cancelled = True
        self.log.append("cancel")

    def abandon(self) -> None:
        self.log.append("abandon")


class Peer:
    """The other end of the socket pair, with the connection's thread running."""

    def __init__(self, timing: Timing = Timing()) -> None:  # noqa: B008 -- a frozen value
        ours, self.sock = socket.socketpair()
        self.sock.settimeout(10)
        self.log: list[str] = []
        now = time.monotonic()
        association = Association.accepting(
            65536, 16384, 1 << 20, artim_s=timing.artim_s, closing_s=0.3, now=now
        )
        self.connection = ServerConnection(PairTransport(ours), association, timing)
        self.connection.decide = lambda connection, request: ACCEPT
        self.connection.begin = lambda connection, context, request: Echoing(request, self.log)
        self.thread = threading.Thread(target=self.connection.run, daemon=True)
        self.thread.start()

    def associate(self) -> Peer:
        self.send(codec.encode(REQUEST))
        assert self.read()[0] == codec.A_ASSOCIATE_AC
        return self

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def message(self, message: messages.Message, dataset: bytes | None = None) -> None:
        self.send(pdata.message(1, messages.encode(message), dataset, 16384))

    def read(self) -> tuple[int, bytes]:
        """The next PDU, or (0, b"") when the connection is closed."""
        head = self._exactly(6)
        return (head[0], self._exactly(int.from_bytes(head[2:], "big"))) if head else (0, b"")

    def response(self) -> Response:
        body = self.read()[1]
        found = messages.decode(body[6:])
        assert isinstance(found, Response)
        return found

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            piece = self.sock.recv(count - len(data))
            if not piece:
                return b""
            data += piece
        return data

    def ended(self) -> bool:
        self.thread.join(5)
        return not self.thread.is_alive()


class PairTransport(Transport):
    """A transport over a Unix socket pair, which knows no TCP_NODELAY."""

    def __init__(self, sock: socket.socket) -> None:
        setsockopt: Callable[..., None] = sock.setsockopt
        sock_like = _WithoutTcp(sock, setsockopt)
        super().__init__(sock_like)  # type: ignore[arg-type]


class _WithoutTcp:
    def __init__(self, sock: socket.socket, setsockopt: Callable[..., None]) -> None:
        self._sock = sock
        self._set = setsockopt

    def setsockopt(self, level: int, name: int, value: object) -> None:
        if level != socket.IPPROTO_TCP:
            self._set(level, name, value)

    def __getattr__(self, name: str) -> object:
        return getattr(self._sock, name)


def test_messages_are_answered_in_order_until_the_release() -> None:
    peer = Peer().associate()
    peer.message(EchoRequest(1, VERIFICATION))
    peer.message(EchoRequest(2, VERIFICATION, has_dataset=True), b"x" * 50_000)
    assert [peer.response().comment, peer.response().comment] == ["0", "50000"]
    peer.send(codec.encode(ReleaseRequest()))
    assert peer.read() == (codec.A_RELEASE_RP, codec.encode(ReleaseResponse())[6:])
    peer.sock.close()
    assert peer.ended() and not peer.connection.failed


def test_silence_after_connecting_closes_the_connection() -> None:
    peer = Peer(QUICK)
    assert peer.read() == (0, b"") and peer.ended()


def test_a_request_in_slow_pieces_must_be_whole_within_artim() -> None:
    peer = Peer(QUICK)
    for byte in codec.encode(REQUEST)[:100]:
        try:
            peer.send(bytes([byte]))
        except OSError:
            break
        time.sleep(0.01)
    assert peer.ended()


def test_a_rejection_is_said_before_the_close() -> None:
    peer = Peer(QUICK)
    peer.connection.decide = lambda connection, request: REJECT_LOCAL_LIMIT
    peer.send(codec.encode(REQUEST))
    assert peer.read() == (codec.A_ASSOCIATE_RJ, bytes((0, 2, 3, 2)))
    assert peer.ended()


def test_an_idle_association_is_aborted() -> None:
    peer = Peer(QUICK).associate()
    assert peer.read() == (codec.A_ABORT, codec.encode(Abort(0, 0))[6:])
    assert peer.ended()


def test_silence_inside_a_message_ends_it_and_abandons_it() -> None:
    peer = Peer(QUICK).associate()
    whole = pdata.message(1, messages.encode(EchoRequest(1, VERIFICATION, True)), b"x" * 5000, 16384)
    peer.send(whole[:-100])
    assert peer.ended() and peer.connection.failed
    assert peer.log[-1] == "abandon"


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        codec.encode(REQUEST),
        pdata.message(1, b"no command set", None, 16384),
        pdata.message(3, messages.encode(EchoRequest(1, VERIFICATION)), None, 16384),
        pdata.message(1, messages.encode(Response(0x8030, 1, 0)), None, 16384),
        pdata.message(1, messages.encode(EchoRequest(1, VERIFICATION)), b"data", 16384),
    ],
)
def test_what_breaks_the_protocol_is_answered_with_an_abort(garbage: bytes) -> None:
    peer = Peer().associate()
    peer.send(garbage)
    pdu_type, body = peer.read()
    while pdu_type == codec.P_DATA_TF:
        pdu_type, body = peer.read()
    assert (pdu_type, body[2]) == (codec.A_ABORT, 2)
    peer.sock.close()
    assert peer.ended() and peer.connection.failed


def test_our_own_fault_aborts_this_association_only(caplog: pytest.LogCaptureFixture) -> None:
    peer = Peer().associate()

    def broken(*_: object) -> None:
        raise KeyError("a bug")

    peer.connection.begin = broken
    peer.message(EchoRequest(1, VERIFICATION))
    assert peer.read()[0] == codec.A_ABORT
    assert "our fault" in caplog.text


def test_a_cancel_in_the_middle_of_answers_is_heard_within_100_ms() -> None:
    peer = Peer().associate()
    peer.message(CFindRequest(1, VERIFICATION), b"identifier")
    for _ in range(5):
        assert peer.response().status == 0xFF00
        peer.read()
    peer.message(CCancelRequest(1))
    started = time.monotonic()
    while (response := peer.response()).status == 0xFF00:
        peer.read()
    assert response.status == 0xFE00
    assert time.monotonic() - started < 1.0  # generous: this machine may be busy
    assert "cancel" in peer.log


def test_a_cancel_that_comes_with_the_request_is_heard_too() -> None:
    peer = Peer().associate()
    find = pdata.message(1, messages.encode(CFindRequest(1, VERIFICATION)), b"identifier", 16384)
    peer.send(find + pdata.message(1, messages.encode(CCancelRequest(1)), None, 16384))
    while (response := peer.response()).status == 0xFF00:
        peer.read()
    assert response.status == 0xFE00


def test_a_client_that_leaves_ends_its_query() -> None:
    peer = Peer().associate()
    peer.message(CFindRequest(1, VERIFICATION), b"identifier")
    assert peer.response().status == 0xFF00
    peer.sock.close()
    assert peer.ended()
    assert peer.log[-1] == "abandon"


def test_a_message_behind_a_long_answer_is_served_after_it() -> None:
    peer = Peer().associate()
    find = pdata.message(1, messages.encode(CFindRequest(1, VERIFICATION)), b"identifier", 16384)
    cancel = pdata.message(1, messages.encode(CCancelRequest(1)), None, 16384)
    echo = pdata.message(1, messages.encode(EchoRequest(2, VERIFICATION, True)), b"x" * 3000, 16384)
    peer.send(find + cancel + echo)
    while (response := peer.response()).command_field == 0x8020:
        if response.status == 0xFF00:
            peer.read()
    assert response.comment == "3000"


def test_stopping_ends_an_idle_association_at_once() -> None:
    peer = Peer().associate()
    peer.connection.stop()
    assert peer.read()[0] == codec.A_ABORT
    peer.sock.close()
    assert peer.ended()


def test_stopping_lets_the_message_at_hand_be_answered() -> None:
    peer = Peer().associate()
    whole = pdata.message(1, messages.encode(EchoRequest(1, VERIFICATION, True)), b"x" * 5000, 16384)
    peer.send(whole[:2000])
    time.sleep(0.1)
    peer.connection.stop()
    time.sleep(0.1)
    peer.send(whole[2000:])
    assert peer.response().comment == "5000"
    assert peer.read()[0] == codec.A_ABORT
