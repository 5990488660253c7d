"""What both ends of an association share: moving bytes between a socket and the protocol core."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from fastdicom.dimse import messages
from fastdicom.dimse.assembler import COMMAND_SET_LENGTH_MAX, Assembler
from fastdicom.errors import ConnectionLost, PeerError
from fastdicom.kernels import pdata
from fastdicom.net.transport import Transport
from fastdicom.upperlayer.association import Association, AssociationEvent

Buffer = bytes | bytearray | memoryview

_BLOCK = 1 << 20  # bytes of a body that go out in one system call
_JOINED_BELOW = 64 * 1024  # bytes of pieces that are copied into one
_QUEUE_MAX = 16  # events that wait; each holds at most what one read brought


@dataclass(frozen=True, slots=True)
class Timing:
    """How long to wait, in seconds. See `config.Timeouts` and `config.Limits`."""

    artim_s: float = 30.0
    idle_s: float = 60.0
    connect_s: float = 10.0
    response_s: float = 60.0
    message_stall_s: float = 30.0
    send_stall_s: float = 30.0
    handshake_s: float = 10.0
    message_s: float = 3600.0
    association_s: float = 86400.0


class Connection:
    """One association on one transport, driven by one thread."""

    stopping = False

    @property
    def idle(self) -> bool:
        """True between messages."""
        return self.assembler.idle

    def __init__(
        self,
        transport: Transport,
        association: Association,
        timing: Timing,
        *,
        command_set_length_max: int = 64 * 1024,
        look_ahead_length_max: int = 256 * 1024,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.transport = transport
        self.association = association
        self.timing = timing
        self.clock = clock
        self.assembler = Assembler(command_set_length_max)
        self._look_ahead_length_max = look_ahead_length_max
        self.queue: deque[AssociationEvent] = deque()  # came while nobody could serve it; not borrowed

    # ------------------------------------------------------------------------------ receiving

    def receive(self, timeout_s: float) -> list[AssociationEvent]:
        """The next events; fragments are borrowed until the next call. Raises TimeoutError."""
        if self.queue:
            events = list(self.queue)
            self.queue.clear()
            return events
        return self._pull(timeout_s)

    def _pull(self, timeout_s: float) -> list[AssociationEvent]:
        count = self.transport.receive(self.association.space(), timeout_s)
        if count == 0 and self.stopping and self.idle:
            return []  # it was us who ended the wait
        events = self.association.received(count, self.clock())
        self.flush()
        return events

    def keep(self, events: Iterable[AssociationEvent]) -> None:
        """Put events back for later, fragments copied; a Command Set in pieces is put together."""
        for event in events:
            if not isinstance(event, tuple):
                self.queue.append(event)
                continue
            context_id, control, piece = event
            last = self.queue[-1] if self.queue else None
            if isinstance(last, tuple) and last[0] == context_id and last[1] == 1 and control & 1:
                if len(last[2]) + len(piece) > COMMAND_SET_LENGTH_MAX:
                    raise PeerError(f"a Command Set of more than {COMMAND_SET_LENGTH_MAX} bytes", 5)
                self.queue[-1] = (context_id, control, bytes(last[2]) + bytes(piece))
            else:
                self.queue.append((context_id, control, bytes(piece)))

    def look_ahead(self) -> None:
        """Read what has come without waiting, and keep it. Bounded: a peer that sends on is not read."""
        if self._holds_enough() or self.association.closed or not self.transport.readable():
            return
        try:
            self.keep(self._pull(0.001))
        except TimeoutError:
            return  # under TLS: part of a record, or one that carries no data

    def _holds_enough(self) -> bool:
        held = sum(len(event[2]) for event in self.queue if isinstance(event, tuple))
        return len(self.queue) >= _QUEUE_MAX or held >= self._look_ahead_length_max

    # ------------------------------------------------------------------------------ sending

    def flush(self) -> None:
        """Send what the upper layer itself has to say."""
        outgoing = self.association.take_outgoing()
        if outgoing:
            self.transport.send(outgoing, self.timing.send_stall_s)

    def framed(self, context_id: int, command: bytes, dataset: bytes | None) -> bytes:
        """A small message as PDUs."""
        return pdata.message(context_id, command, dataset, self.association.peer_length_max)

    def send_framed(self, pieces: list[bytes]) -> None:
        """Send messages that are PDUs already."""
        self._must_be_open()
        self.transport.send(pieces, self.timing.send_stall_s)

    def send_message(self, context_id: int, message: messages.Message, dataset: bytes | None = None) -> None:
        """Send a message whose Data Set is small and in memory."""
        self.send_framed([self.framed(context_id, messages.encode(message), dataset)])

    def send_with_body(self, context_id: int, message: messages.Message, body: Iterable[Buffer]) -> None:
        """Send a message with a Data Set of any length, in pieces of even length, from where it lies."""
        length_max = self.association.peer_length_max
        before = pdata.message(context_id, messages.encode(message), None, length_max)
        for block, last in _blocks(body):
            self._must_be_open()
            pieces = pdata.body(context_id, before, block, length_max, last)
            self.transport.send(pieces, self.timing.send_stall_s)
            before = b""

    def _must_be_open(self) -> None:
        if not self.association.may_send:
            raise ConnectionLost("the association is over")


def _blocks(body: Iterable[Buffer]) -> Iterable[tuple[memoryview, bool]]:
    """The body in blocks of at most _BLOCK bytes, small pieces joined; the last one is marked."""
    pieces = iter(body)
    first, second = next(pieces, b""), next(pieces, None)
    if second is None and len(first) <= _BLOCK:  # most of all: an instance as it is stored
        return ((memoryview(first).cast("B"), True),)
    return _marked(_sized(chain((first,) if second is None else (first, second), pieces)))


def _marked(blocks: Iterable[memoryview]) -> Iterator[tuple[memoryview, bool]]:
    """Each block, and whether it is the last."""
    held: memoryview | None = None
    for block in blocks:
        if held is not None:
            yield held, False
        held = block
    yield (held if held is not None else memoryview(b"")), True


def _sized(body: Iterable[Buffer]) -> Iterator[memoryview]:
    small = bytearray()
    for piece in body:
        if len(piece) + len(small) < _JOINED_BELOW:
            small += piece
            continue
        if small:
            yield memoryview(bytes(small))
            small.clear()
        whole = memoryview(piece).cast("B")
        for at in range(0, len(whole), _BLOCK):
            yield whole[at : at + _BLOCK]
    if small:
        yield memoryview(bytes(small))
