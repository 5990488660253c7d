"""Mutated streams through the whole path (all classes) stall no other association by more than 50 ms.

What counts is how much longer a C-ECHO takes than one to a second node that is left alone, at the same time:
what else the machine does, and this test itself, delays both. The same streams go through three times, and of
the three the median counts: a delay that most rounds show belongs to the stream.
"""

from __future__ import annotations

import contextlib
import random
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.fuzz.mutations import mutated
from tests.hostile.harness import PROPOSALS, fresh_uids
from tests.support import rawpdu
from tests.support.node import Node, fastdicom_node
from tests.support.rawcommand import Element, Field, request
from tests.support.rawdicom import (
    CT_IMAGE_STORAGE,
    STUDY_ROOT_FIND,
    STUDY_ROOT_GET,
    VERIFICATION,
    ConnectionEnded,
    RawAssociation,
    RawConnection,
    _numbered,
)
from tests.support.rawelements import (
    PATIENT_NAME,
    PIXEL_DATA,
    STUDY_INSTANCE_UID,
    explicit,
    identifier,
    instance,
    nested,
    zeros_deflated,
)

STALL_S = 0.05
ROUNDS, BATCHES, STREAMS = 3, 24, 12
PDU_MAX = 16384


def store(context: int, data: bytes, uid: str) -> bytes:
    command = request(
        Field.C_STORE, CT_IMAGE_STORAGE, 7, data=True, more={Element.AFFECTED_SOP_INSTANCE_UID: uid}
    )
    return _message(context, command, data)


def query(context: int, model: str, field: Field, data: bytes) -> bytes:
    return _message(context, request(field, model, 9, data=True), data)


def _message(context: int, command: bytes, data: bytes) -> bytes:
    pdus = [*rawpdu.fragments(context, command, command=True, pdu_max=PDU_MAX)]
    pdus += rawpdu.fragments(context, data, command=False, pdu_max=PDU_MAX)
    return b"".join(pdus)


def whole_streams() -> list[bytes]:
    """Associations as bytes: what a busy and a hostile peer would say, before anything is mutated."""
    uids = fresh_uids()
    begin = rawpdu.associate_rq(_numbered(PROPOSALS), "FASTDICOM", "MUTANT", PDU_MAX)
    end = rawpdu.release_rq()
    image = instance(uids, CT_IMAGE_STORAGE, [explicit(PIXEL_DATA, "OW", bytes(300_000))])
    deep = instance(uids, CT_IMAGE_STORAGE, []) + nested(2000)
    wild = {PATIENT_NAME: "*a*a*a*a*a*a*a*z", STUDY_INSTANCE_UID: "*" * 60}
    many = {STUDY_INSTANCE_UID: "\\".join(f"1.2.3.{number}" for number in range(10_000))}
    bodies = [
        store(3, image, uids[2]),
        store(3, deep, uids[2]),
        store(7, zeros_deflated(instance(uids, CT_IMAGE_STORAGE, []), 200 << 20), uids[2]),
        query(11, STUDY_ROOT_FIND, Field.C_FIND, identifier("STUDY", dict(wild))),
        query(11, STUDY_ROOT_FIND, Field.C_FIND, identifier("STUDY", dict(many))),
        query(11, STUDY_ROOT_FIND, Field.C_FIND, nested(20_000, vrs=False)),
        query(17, STUDY_ROOT_GET, Field.C_GET, identifier("STUDY", {STUDY_INSTANCE_UID: "*"})),
    ]
    return [begin + body + end for body in bodies]


class Watcher(threading.Thread):
    """Echoes on an association of its own, again and again; `slowest` since it was last asked."""

    def __init__(self, node: Node) -> None:
        super().__init__(daemon=True)
        self._association = RawAssociation.to(node.port, [VERIFICATION], calling="WATCHER")
        self._done = threading.Event()
        self._slowest = 0.0
        self._count = 0
        self.failed = False

    def run(self) -> None:
        with self._association as association:
            while not self._done.is_set():
                begun = time.perf_counter()
                self.failed = self.failed or association.echo() != 0
                self._slowest = max(self._slowest, time.perf_counter() - begun)
                self._count += 1
            association.release()

    def slowest(self) -> float:
        """The longest C-ECHO since the last call; the one under way is waited for."""
        count = self._count
        while self._count == count and self.is_alive():
            time.sleep(0.001)
        taken, self._slowest = self._slowest, 0.0
        return taken

    def stop(self) -> None:
        self._done.set()
        self.join(10)


class Comparison:
    """A watcher of the node under attack, and one of a node that is left alone."""

    def __init__(self, attacked: Node, alone: Node) -> None:
        self._watchers = Watcher(attacked), Watcher(alone)
        for watcher in self._watchers:
            watcher.start()

    def stall(self) -> float:
        """How much longer the longest C-ECHO since the last call took under attack than alone, in seconds."""
        attacked, alone = (watcher.slowest() for watcher in self._watchers)
        return attacked - alone

    def stop(self) -> None:
        for watcher in self._watchers:
            watcher.stop()
            assert not watcher.failed


@contextmanager
def compared(attacked: Node, folder: Path) -> Iterator[Comparison]:
    """With another node beside the attacked one, which does nothing but answer its watcher."""
    with fastdicom_node(folder) as alone:
        comparison = Comparison(attacked, alone)
        try:
            yield comparison
        finally:
            comparison.stop()


def feed(node: Node, stream: bytes) -> None:
    """Send it as it is, and read until the node has had enough of it, or nothing more comes."""
    enough = contextlib.suppress(ConnectionEnded, TimeoutError, OSError)
    with RawConnection.open(node.port, timeout_s=0.3) as connection, enough:
        connection.send(stream)
        while True:
            connection.read_pdu()


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    changes = {"timeouts": {"artim": "3 s", "idle": "5 s"}}
    with fastdicom_node(tmp_path / "node", changes) as running:
        yield running


@pytest.mark.timeout(400)
def test_mutated_streams_stall_no_other_association(node: Node, tmp_path: Path) -> None:
    streams = whole_streams()
    stalls: list[list[float]] = [[] for _ in range(BATCHES)]
    with compared(node, tmp_path / "alone") as comparison:
        for _ in range(ROUNDS):
            for batch in range(BATCHES):
                chance = random.Random(1000 + batch)
                comparison.stall()
                for number in range(STREAMS):
                    stream = streams[(batch * STREAMS + number) % len(streams)]
                    feed(node, stream if batch == 0 else mutated(stream, chance))
                stalls[batch].append(comparison.stall())
    medians = [statistics.median(batch) for batch in stalls]
    print("stall of each batch, median of three, ms:", [round(1000 * one, 1) for one in medians])
    assert node.alive
    assert "Traceback" not in node.log
    assert max(medians) < STALL_S, [round(1000 * one) for one in medians]
