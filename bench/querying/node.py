"""How fast a node answers over the network: read by a client in C, which is not the bottleneck."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from bench.querying.generator import Generator, store_file
from bench.querying.questions import Question, questions
from fastdicom.dimse import messages
from fastdicom.net.requestor import ClientAssociation
from fastdicom.net.transport import Transport
from fastdicom.standard.transfer_syntaxes import IMPLICIT_VR_LITTLE_ENDIAN
from fastdicom.upperlayer.pdus import ExtendedNegotiation
from tests.support import procfs
from tests.support.node import Node, Table, fastdicom_node
from tests.support.processes import Peer
from tests.support.rawdicom import STUDY_ROOT_FIND
from tests.support.rawelements import (
    PATIENT_NAME,
    SERIES_INSTANCE_UID,
    SOP_INSTANCE_UID,
    STUDY_INSTANCE_UID,
    identifier,
)

Row = dict[str, Any]
WRITERS = 8
CANCEL_AFTER = 20_000  # answers
FINAL_CANCELLED = struct.pack("<HHIH", 0x0000, 0x0900, 2, 0xFE00)  # Status, PS3.7 E.1
_KIB = 1024


@contextmanager
def serving(folder: Path, archive: Path) -> Iterator[tuple[Node, float]]:
    """A node on an archive, and how long it took from its start to listening.

    It does not verify its files meanwhile: a generated archive has none.
    """
    changes: dict[str, Table] = {
        "limits": {"answers_max": 0},
        "log": {"level": "WARNING"},
        "query": {"relational": True},
        "verify": {"interval": 0},
    }
    before = time.perf_counter()
    with fastdicom_node(folder, changes, archive=archive) as node:
        yield node, time.perf_counter() - before


def ask(generator: Generator, peer: Peer, question: Question, folder: Path, seconds: float) -> Row:
    """One question again and again on one association."""
    path = folder / "question.identifier"
    path.write_bytes(question.identifier)
    cpu = procfs.cpu_seconds(peer.pid)
    options = {"file": path, "class": STUDY_ROOT_FIND, "keys": 1, "seconds": seconds}
    figures = generator.run("find", port=peer.port, called=peer.ae_title, **options)
    cpu = procfs.cpu_seconds(peer.pid) - cpu
    return {
        "query": question.name,
        "answers": figures["answers"] // max(figures["operations"], 1),
        "p50_ms": figures["p50_us"] / 1e3,
        "p99_ms": figures["p99_us"] / 1e3,
        "answers_per_s": figures["answers"] / figures["seconds"],
        "cpu_us_per_query": cpu / max(figures["operations"], 1) * 1e6,
    }


def ask_all(generator: Generator, peer: Peer, studies: int, folder: Path, seconds: float) -> list[Row]:
    """Every question that is sent."""
    sent = (question for question in questions(studies) if question.sent)
    return [ask(generator, peer, question, folder, seconds) for question in sent]


def ingest(generator: Generator, node: Node, folder: Path, seconds: float, run: int) -> Row:
    """WRITERS associations store: objects a second, and what each costs the node."""
    source = store_file(folder, 16 * _KIB, run)
    cpu = procfs.cpu_seconds(node.pid)
    figures = generator.run(
        "store",
        source.patches,
        port=node.port,
        called=node.ae_title,
        associations=WRITERS,
        seconds=seconds,
        **source.options(),
    )
    cpu = procfs.cpu_seconds(node.pid) - cpu
    count = figures["operations"]
    return {"stored_per_s": count / figures["seconds"], "cpu_us_per_object": cpu / max(count, 1) * 1e6}


def ingest_in_turns(generator: Generator, folder: Path, archive: Path, seconds: float) -> dict[str, Row]:
    """Ingest into an empty archive and into this one, each with the best of three by CPU time."""
    run = int(time.time()) % 9000
    rows: dict[str, list[Row]] = {"empty": [], "here": []}
    for turn in range(3):
        for name, place in (("empty", folder / f"empty-{archive.name}-{turn}"), ("here", archive)):
            with serving(folder / f"{name}-{archive.name}-{turn}-node", place) as (node, _):
                rows[name].append(ingest(generator, node, folder, seconds, run + turn))
    return {name: min(found, key=lambda row: row["cpu_us_per_object"]) for name, found in rows.items()}


def report(generator: Generator, folder: Path, archive: Path, studies: int, seconds: float) -> Row:
    """Start, questions, C-CANCEL and memory."""
    with serving(folder / f"node-{studies}", archive) as (node, started):
        before = anonymous_mib(node.pid)
        rows = ask_all(generator, node, studies, folder, seconds)
        cancel = cancelled(node)
        memory = [before, anonymous_mib(node.pid)]
    return {"start_s": started, "rows": rows, "cancel": cancel, "memory_mib": memory}


def busy(generator: Generator, folder: Path, archive: Path, studies: int, seconds: float) -> Row:
    """Ingest, and point queries while others store: the archive grows."""
    ingested = ingest_in_turns(generator, folder, archive, seconds)
    with serving(folder / f"busy-{studies}", archive) as (node, _), ThreadPoolExecutor(1) as beside:
        run = int(time.time()) % 9000 + 10
        stored = beside.submit(ingest, generator, node, folder, 2 * seconds, run)
        time.sleep(seconds / 4)
        asked = ask(generator, node, questions(studies)[1], folder, seconds)
        while_asked = stored.result()
    return {"ingest": ingested, "while_storing": {**asked, "stored_per_s": while_asked["stored_per_s"]}}


def cancelled(node: Node) -> Row:
    """C-CANCEL in the middle of all instances: how long the final response takes from then on.

    What was on its way when it was sent is read too, as fast as the system gives it.
    """
    extended = [ExtendedNegotiation(STUDY_ROOT_FIND, b"\1")]
    keys = {STUDY_INSTANCE_UID: "", SERIES_INSTANCE_UID: "", SOP_INSTANCE_UID: "", PATIENT_NAME: ""}
    with ClientAssociation.open(
        "127.0.0.1", node.port, called=node.ae_title, calling="BENCH", extended=extended,
        proposals=[(STUDY_ROOT_FIND, (IMPLICIT_VR_LITTLE_ENDIAN,))],
    ) as association:  # fmt: skip
        context_id, _ = association.context_for(STUDY_ROOT_FIND)
        request = messages.CFindRequest(1, STUDY_ROOT_FIND)
        responses = association.ask(context_id, request, identifier("IMAGE", keys))
        before = sum(1 for _ in islice(responses, CANCEL_AFTER))
        if before < CANCEL_AFTER:  # a small archive: nothing is left to cancel
            return {"answers": before, "bytes_after": 0, "ms": 0.0}
        association.send_message(context_id, messages.CCancelRequest(1))
        asked = time.perf_counter()
        bytes_after = read_until(association.transport, FINAL_CANCELLED)
        took = time.perf_counter() - asked
        association.abort()
    return {"answers": before, "bytes_after": bytes_after, "ms": took * 1e3}


def read_until(transport: Transport, pattern: bytes) -> int:
    """Read as fast as the system gives; bytes until one piece ends with `pattern`, or the peer is silent."""
    buffer = memoryview(bytearray(1 << 20))
    total, tail = 0, b""
    while pattern not in tail:
        try:
            count = transport.receive(buffer, 2.0)
        except TimeoutError:
            return total
        total += count
        tail = (tail + bytes(buffer[:count]))[-512:]
    return total


def anonymous_mib(pid: int) -> float:
    """Memory that is the process's own, without the pages of the index that are mapped."""
    return procfs.status_field(pid, "RssAnon") / 1024
