"""A node without sockets, threads, disk or clock: bytes into an acceptor's connection, bytes out.

The connection, the upper layer, the assembler and the services are the real ones; the archive is a dict,
the index one that the caller brings, C-MOVE destinations answer at once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from fastdicom.access import Admission
from fastdicom.config import Config
from fastdicom.dataset.identifier import Identifier, decode_identifier
from fastdicom.dataset.record import Added, Change, FileEntry, Kept, Outcome, Put, StoredEntry
from fastdicom.dataset.scanned import wanted_table
from fastdicom.dataset.stream import ScanPolicy
from fastdicom.dataset.terms import Terms
from fastdicom.dimse import messages
from fastdicom.errors import ConnectionLost
from fastdicom.net.connection import Timing
from fastdicom.net.server import ServerConnection
from fastdicom.services.budget import Budget
from fastdicom.services.dispatch import ContextSyntaxes, QueryPolicy, Services
from fastdicom.services.lookahead import Ahead, Outgoing
from fastdicom.services.making import Verbatim
from fastdicom.services.ports import Buffer, Finder, Operation
from fastdicom.services.store import StorePolicy
from fastdicom.standard.sop_classes import PATIENT_ROOT_CLASSES
from fastdicom.upperlayer.association import Association, Context

RECEIVE_BUFFER = 4096
PDU_LENGTH_MAX = 4096
PDU_HEAD = 6
TIMING = Timing(artim_s=1, idle_s=1, connect_s=1, response_s=1, message_stall_s=1, send_stall_s=1)
FILES_MAX = 50
LOG = logging.getLogger("fastdicom")


class MemoryTransport:
    """What the peer sends is there from the start, cut into steps; what it is sent is collected.

    patient: the peer waits with what follows its first PDU until it has got something, and closes only
    while we wait for it.
    """

    secure = False
    peer = None

    def __init__(self, incoming: bytes, step: int, closes: bool, patient: bool) -> None:
        first_pdu = PDU_HEAD + int.from_bytes(incoming[2:PDU_HEAD], "big")
        self.incoming = memoryview(incoming)
        self.pause_at = first_pdu if patient else 0
        self.step = step
        self.closes = closes
        self.patient = patient
        self.outgoing = bytearray()
        self.received = self.sent = 0
        self.closed = False

    def fileno(self) -> int:
        return -1

    def start(self, timeout_s: float) -> None:
        """There is no TLS in memory."""

    def buffered(self) -> bool:
        return False

    def receive(self, into: memoryview, timeout_s: float) -> int:
        assert not self.closed and timeout_s > 0 and len(into)
        if not self.incoming:
            if self.closes:
                return 0
            raise TimeoutError
        count = min(len(into), self.step, len(self.incoming))
        if self.received < self.pause_at:
            count = min(count, self.pause_at - self.received)
        into[:count] = self.incoming[:count]
        self.incoming = self.incoming[count:]
        self.received += count
        return count

    def readable(self) -> bool:
        return bool(self.incoming) or (self.closes and not self.patient)

    def send(self, pieces: Sequence[bytes | memoryview], timeout_s: float) -> None:
        if self.closed:
            raise ConnectionLost("closed")
        for piece in pieces:
            self.outgoing += piece
        self.sent = len(self.outgoing)

    def stop_reading(self) -> None:
        self.incoming = self.incoming[:0]

    def finish_writing(self) -> None:
        """Nobody waits for it."""

    def close(self) -> None:
        self.closed = True


@dataclass
class MemoryFile:
    """A file of the archive."""

    path: str
    content: bytearray = field(default_factory=bytearray)
    state: str = "open"

    @property
    def size(self) -> int:
        return len(self.content)

    def append(self, pieces: Sequence[memoryview | bytes]) -> None:
        assert self.state == "open"
        for piece in pieces:
            self.content += piece

    def overwrite(self, data: bytes, offset: int) -> None:
        assert self.state == "open" and 0 <= offset <= self.size - len(data)
        self.content[offset : offset + len(data)] = data

    def finish(self) -> None:
        self.state = "finished"

    def discard(self) -> None:
        assert self.state == "open"
        self.state = "discarded"


class MemoryArchive:
    """Keeper: the last files by SOP Instance UID; and for every entry of the index the same file."""

    def __init__(self, any_file: bytes) -> None:
        self.any_file = any_file
        self.stored: dict[str, tuple[FileEntry, bytes]] = {}
        self.open: list[MemoryFile] = []

    def incoming(self) -> MemoryFile:
        file = MemoryFile(f"{len(self.open)}")
        self.open.append(file)
        return file

    def commit(self, file: MemoryFile, change: Change) -> Outcome:
        assert file.state == "open" and isinstance(change, Put)
        assert change.file.size == file.size
        uid = change.record.sop_instance_uid
        file.state = "committed"
        if uid in self.stored:
            return Kept(self.stored[uid][0])
        if len(self.stored) >= FILES_MAX:
            self.stored.clear()
        self.stored[uid] = change.file, bytes(file.content)
        return Added()

    def read(self, entry: StoredEntry) -> memoryview:
        return memoryview(self.any_file)

    def check_nothing_open(self) -> None:
        """After an association every file is committed or discarded."""
        left = [file.state for file in self.open if file.state not in ("committed", "discarded")]
        self.open.clear()
        assert not left, left


class Unchanged:
    """Converter: instances go out as they are stored, or not at all."""

    depth = 1
    batch = 2
    fallbacks: Sequence[str] = ()

    def for_peer(self, ae_title: str) -> Unchanged:
        return self

    def candidates(self, stored_uid: str, accepted: Collection[str]) -> Sequence[str]:
        return [stored_uid] if stored_uid in accepted else []

    def begin(
        self, dataset: memoryview, stored_uid: str, wanted: Sequence[str], *, whole: bool
    ) -> Callable[[], Outgoing]:
        assert list(wanted) == [stored_uid]
        return lambda: Verbatim(stored_uid, dataset)

    def quick(self, stored_uid: str, wanted: Sequence[str], length: int) -> bool:
        return True

    def ahead(self, prepare: Callable[[], Outgoing]) -> Ahead | None:
        return None


class Channel:
    """An association with a C-MOVE destination that takes everything, each third instance with a warning."""

    window = 2

    def __init__(self) -> None:
        self.sent: list[messages.Response] = []

    def transfer_syntaxes(self, sop_class_uid: str) -> dict[str, int]:
        return {"1.2.840.10008.1.2.1": 1}

    def send_store(self, context_id: int, request: messages.CStoreRequest, body: Iterable[Buffer]) -> None:
        length = sum(len(piece) for piece in body)
        status = 0xB000 if length % 3 == 0 else 0
        self.sent.append(
            messages.Response(messages.C_STORE_RSP, request.message_id, status, request.sop_class_uid)
        )

    def store_response(self, awaited: Container[int]) -> messages.Response:
        response = self.sent.pop(0)
        assert response.responded_to in awaited
        return response


class Destination:
    """The C-MOVE destination that there is."""

    transfer_syntaxes: Sequence[str] = ()
    associations = 1

    def open(self, plan: object, watch: object) -> Channel:
        return Channel()

    def close(self, channel: Channel) -> None:
        assert not channel.sent


class OurFault(logging.Handler):
    """While entered, the only listener of the log: what is logged as our fault is raised at the end."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: BaseException | None = None

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1]:
            self.found = record.exc_info[1]

    def __enter__(self) -> None:
        self.found = None
        self.before = LOG.propagate, LOG.level
        LOG.propagate = False
        LOG.setLevel(logging.ERROR)
        LOG.addHandler(self)

    def __exit__(self, *_: object) -> None:
        LOG.removeHandler(self)
        LOG.propagate = self.before[0]
        LOG.setLevel(self.before[1])
        if self.found is not None:
            raise self.found


class MemoryNode:
    """Serves one association after the other. Raises what the node would have to log as its own fault."""

    def __init__(self, finder: Finder, any_file: bytes) -> None:
        operations = ("echo", "store", "find", "move", "get")
        self.config = Config(ae_title="FUZZED", access={"unknown_peers": operations})
        self.archive = MemoryArchive(any_file)
        self.now = 0.0
        self.faults = OurFault()
        self.services = Services(
            self.archive,  # type: ignore[arg-type]
            finder,
            Unchanged(),
            StorePolicy(scan=ScanPolicy(wanted_table(), depth_max=8), dataset_length_max=1 << 16),
            QueryPolicy(
                self._decode,
                self._destination,
                identifier_length_max=1 << 16,
                answers_max=100,
                budget=Budget(1 << 20, "identifiers"),
                instances_max=1000,
            ),
        )

    def clock(self) -> float:
        """Every look at the clock takes a millisecond, so that no loop outlives its deadline."""
        self.now += 0.001
        return self.now

    def serve(self, incoming: bytes, step: int, closes: bool = True, patient: bool = True) -> bytes:
        """One association from its first byte to its end; what was answered."""
        transport = MemoryTransport(incoming, step, closes, patient)
        admission = Admission(self.config)
        admission.connected("fuzz")
        association = Association.accepting(
            RECEIVE_BUFFER, PDU_LENGTH_MAX, 1 << 16, artim_s=1, closing_s=1, now=self.clock()
        )
        connection = ServerConnection(transport, association, TIMING, clock=self.clock)  # type: ignore[arg-type]
        connection.decide = admission.decide

        def begin(
            connection: ServerConnection, context: Context, request: messages.Request
        ) -> Operation | None:
            syntaxes = ContextSyntaxes(context.abstract_syntax, context.transfer_syntax)
            return self.services.begin(request, syntaxes, admission.caller(connection), connection)

        connection.begin = begin
        with self.faults:
            connection.run()
        admission.closed(connection)
        self.archive.check_nothing_open()
        assert transport.closed and admission.open == admission.half_open == 0
        return bytes(transport.outgoing)

    def _decode(self, data: bytes, context: ContextSyntaxes, retrieve: bool, terms: Terms) -> Identifier:
        model = "PATIENT" if context.abstract_syntax in PATIENT_ROOT_CLASSES else "STUDY"
        return decode_identifier(data, context.transfer_syntax, model, retrieve=retrieve, terms=terms)

    def _destination(self, ae_title: str) -> Destination | None:
        return Destination() if ae_title == "SINK" else None


def replies(outgoing: bytes) -> Iterator[tuple[int, bytes]]:
    """(type, body) of the PDUs that were sent; raises when they are not whole."""
    while outgoing:
        length = int.from_bytes(outgoing[2:6], "big")
        assert len(outgoing) >= 6 + length
        yield outgoing[0], outgoing[6 : 6 + length]
        outgoing = outgoing[6 + length :]
