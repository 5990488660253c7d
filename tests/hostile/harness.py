"""The server under attack, and what must be true of it after every attack."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.support import peers, procfs
from tests.support.node import Table, fastdicom_node, peer_table
from tests.support.processes import Peer
from tests.support.rawdicom import (
    CT_IMAGE_STORAGE,
    DEFLATED_LE,
    EXPLICIT_BE,
    EXPLICIT_LE,
    IMPLICIT_LE,
    PATIENT_ROOT_FIND,
    STUDY_ROOT_FIND,
    STUDY_ROOT_GET,
    STUDY_ROOT_MOVE,
    VERIFICATION,
    Aborted,
    ConnectionEnded,
    RawAssociation,
    Rejected,
    seconds_to_echo,
)
from tests.support.rawelements import STUDY_INSTANCE_UID, identifier
from tests.support.rawpdu import Proposal
from tests.support.waiting import wait_for

ECHO_SECONDS = 2.0  # 100 ms is the aim; a busy machine is allowed some noise
END_SECONDS = 5.0  # "at once" for an answer to something plainly wrong
MEMORY_MB = 64.0  # what one attack may add to the process at its peak
CANNOT_UNDERSTAND, DATA_SET_MISMATCH, OUT_OF_RESOURCES = 0xC000, 0xA900, 0xA700
PROPOSALS: list[Proposal | str] = [
    Proposal(1, VERIFICATION, (IMPLICIT_LE,)),
    Proposal(3, CT_IMAGE_STORAGE, (EXPLICIT_LE,)),
    Proposal(5, CT_IMAGE_STORAGE, (IMPLICIT_LE,)),
    Proposal(7, CT_IMAGE_STORAGE, (DEFLATED_LE,)),
    Proposal(9, CT_IMAGE_STORAGE, (EXPLICIT_BE,)),
    Proposal(11, STUDY_ROOT_FIND, (IMPLICIT_LE,)),
    Proposal(13, PATIENT_ROOT_FIND, (IMPLICIT_LE,)),
    Proposal(15, STUDY_ROOT_MOVE, (IMPLICIT_LE,)),
    Proposal(17, STUDY_ROOT_GET, (IMPLICIT_LE,)),
]
_numbers = itertools.count(1)


def fresh_uids() -> tuple[str, str, str]:
    """Study, series and SOP Instance UID that no other test uses."""
    base = f"1.2.826.0.1.3680043.10.1561.8.{os.getpid()}.{next(_numbers)}"
    return base, base + ".1", base + ".1.1"


@dataclass(frozen=True)
class Outcome:
    """How the server answered: a DIMSE status with its comment, an A-ABORT, or the end of the connection."""

    status: int | None = None
    comment: str = ""
    abort_reason: int | None = None

    @property
    def ended(self) -> bool:
        """An A-ABORT or a closed connection."""
        return self.status is None

    @property
    def refused(self) -> bool:
        """A failure status: neither success, nor pending, nor a warning."""
        return self.status is not None and self.status >> 8 not in (0x00, 0xB0, 0xFF)


def outcome_of(association: RawAssociation, within_s: float = END_SECONDS) -> Outcome:
    """Wait for the server's reaction; a TimeoutError means that it left its peer hanging."""
    association.sock.settimeout(within_s)
    try:
        message = association.read_message()
        return Outcome(message.status, message.comment)
    except Aborted as abort:
        return Outcome(abort_reason=abort.reason)
    except ConnectionEnded:
        return Outcome()


@dataclass
class Expected:
    """What the archive must have gained after an attack."""

    stored: int


@dataclass
class Target:
    """A server, the folder it stores into, and everything around that folder that it must leave alone."""

    peer: Peer
    root: Path
    store: Path
    log_names: frozenset[str] = frozenset({"log.txt", "stdout.txt"})

    @property
    def port(self) -> int:
        """Its port."""
        return self.peer.port

    def associate(self, calling: str = "ATTACKER", timeout_s: float = 20.0) -> RawAssociation:
        """An association with PROPOSALS."""
        return RawAssociation.to(
            self.port, PROPOSALS, called=self.peer.ae_title, calling=calling, timeout_s=timeout_s
        )

    def stored_files(self) -> set[Path]:
        """Files in the archive other than the index's own, and those made ahead, which are empty."""
        found = set()
        for path in (Path(folder) / name for folder, _, names in os.walk(self.store) for name in names):
            if path.suffix == ".mdb" or path.name.startswith("index"):
                continue
            with suppress(FileNotFoundError):
                if path.suffix != ".dcm" or path.stat().st_size:
                    found.add(path)
        return found

    def outside_files(self) -> set[Path]:
        """Files and folders around the archive."""
        found = set()
        for folder, folders, names in os.walk(self.root):
            folders[:] = [name for name in folders if Path(folder, name) != self.store]
            found |= {Path(folder, name) for name in [*folders, *names] if name not in self.log_names}
        return found

    def send_data_set(
        self, data: bytes, sop_instance: str, syntax: str = EXPLICIT_LE, within_s: float = 30.0
    ) -> Outcome:
        """C-STORE of a CT; where the answer is a status, the association must still work."""
        with self.associate() as association:
            try:
                context = association.context_for(CT_IMAGE_STORAGE, syntax)
                association.send_store(CT_IMAGE_STORAGE, sop_instance, data, context)
            except ConnectionEnded:
                pass  # it may end before everything is sent; what it said is still to be read
            outcome = outcome_of(association, within_s)
            if not outcome.ended:
                assert association.echo() == 0, "the association is unusable after a refused Data Set"
                association.release()
        return outcome

    def studies_found(self, study: str) -> int:
        """How many studies with this UID a C-FIND shows."""
        with self.associate("FINDER") as association:
            answers = association.find(STUDY_ROOT_FIND, identifier("STUDY", {STUDY_INSTANCE_UID: study}))
            association.release()
        assert answers[-1].status == 0, f"C-FIND status {answers[-1].status:04X}H"
        return len(answers) - 1

    @contextmanager
    def unharmed(self, *, stored: int = 0, memory_mb: float = MEMORY_MB) -> Iterator[Expected]:
        """What must hold after the attack in the body: alive, serving, bounded, nothing written elsewhere.

        stored: how many new files the archive must have afterwards, no more and no less; the body may
        set it on what it is given.
        """
        expected = Expected(stored)
        files, outside = self.stored_files(), self.outside_files()
        logged, resident = len(self.peer.log), procfs.resident_mb(self.peer.pid)
        procfs.reset_peak(self.peer.pid)
        yield expected
        assert self.peer.alive, f"the server died: {self.peer.log[-2000:]}"
        assert seconds_to_echo(self.port, self.peer.ae_title) < ECHO_SECONDS
        grown = procfs.peak_mb(self.peer.pid) - resident
        assert grown < memory_mb, f"memory grew by {grown:.0f} MiB"
        assert self.outside_files() - outside == set(), "written outside the archive"
        assert "Traceback" not in self.peer.log[logged:], (
            f"a peer's bytes reached a bug of ours: {self.peer.log[logged:]}"
        )
        wait_for(
            lambda: len(self.stored_files() - files) == expected.stored,
            lambda: f"{self._new(files)} in the archive instead of {expected.stored} new files",
        )

    def _new(self, before: set[Path]) -> list[str]:
        return sorted(str(path.relative_to(self.store)) for path in self.stored_files() - before)


def _other(name: str, folder: Path, to: peers.Destinations) -> tuple[AbstractContextManager[Peer], str]:
    """Another server with short timeouts, and the name of the folder that it stores into."""
    times = ("-ta", "4", "-td", "6")
    if name == "storescp":
        return peers.storescp(folder, "+xa", *times), "received"
    if name == "storescp-fork":
        return peers.storescp(folder, "--fork", "+xa", *times), "received"
    if name == "dcmqrscp":
        return peers.dcmqrscp(folder, *times, destinations=to), "storage"
    if name == "orthanc":
        return peers.orthanc(folder, {"DicomScpTimeout": 6}, destinations=to), "storage"
    return peers.pynetdicom_storescp(folder, *times), "received"


@contextmanager
def target_server(
    root: Path, changes: Mapping[str, Table] | None = None, destinations: peers.Destinations = ()
) -> Iterator[Target]:
    """Our node with this configuration, or the server that FASTDICOM_HOSTILE_TARGET names."""
    name = os.environ.get("FASTDICOM_HOSTILE_TARGET", "fastdicom")
    with ExitStack() as stack:
        if name == "fastdicom":
            table = [peer_table(title, port) for title, port in destinations]
            node = stack.enter_context(fastdicom_node(root / "node", changes, peers=table))
            yield Target(node, root, node.archive)
        else:
            start, store = _other(name, root / "node", destinations)
            peer = stack.enter_context(start)
            yield Target(peer, root, root / "node" / store)


def _serves(peer: Peer) -> bool:
    try:
        seconds_to_echo(peer.port, peer.ae_title, timeout_s=ECHO_SECONDS)
    except (OSError, ConnectionEnded, Rejected):
        return False
    return peer.alive


@dataclass
class Keeper:
    """Keeps one server for the tests of a module; a new one after each death, so that one test kills one."""

    make_root: Callable[[], Path]
    changes: Mapping[str, Table]
    _stack: ExitStack = field(default_factory=ExitStack)
    _target: Target | None = None

    def target(self) -> Target:
        """A living server."""
        if self._target is None or not _serves(self._target.peer):
            self.close()
            server = target_server(self.make_root(), self.changes)
            self._target = self._stack.enter_context(server)
        return self._target

    def close(self) -> None:
        """Stop it."""
        self._stack.close()
        self._target = None
