"""How fast a node answers over the network: read by a client in C, which is not the bottleneck."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.peers.generator import Generator, store_file
from bench.querying.questions import Question, questions
from tests.support import procfs
from tests.support.node import Node, fastdicom_node
from tests.support.processes import Peer
from tests.support.rawdicom import STUDY_ROOT_FIND

Row = dict[str, Any]
WRITERS = 8
_KIB = 1024


@contextmanager
def serving(folder: Path, archive: Path) -> Iterator[tuple[Node, float]]:
    """A node on an archive, and how long it took from its start to listening."""
    changes = {"limits": {"answers_max": 0}, "log": {"level": "WARNING"}, "query": {"relational": True}}
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


def ingest(generator: Generator, node: Node, folder: Path, seconds: float, run: int) -> float:
    """Objects a second that WRITERS associations store."""
    source = store_file(folder, 16 * _KIB, run)
    figures = generator.run(
        "store",
        source.patches,
        port=node.port,
        called=node.ae_title,
        associations=WRITERS,
        seconds=seconds,
        **source.options(),
    )
    return float(figures["operations"] / figures["seconds"])


def report(generator: Generator, folder: Path, archive: Path, studies: int, seconds: float) -> Row:
    """Start, questions, memory, ingest, and point queries while others store."""
    with serving(folder / f"node-{studies}", archive) as (node, started):
        before = anonymous_mib(node.pid)
        rows = ask_all(generator, node, studies, folder, seconds)
        after = anonymous_mib(node.pid)
        run = int(time.time()) % 9000
        alone = ingest(generator, node, folder, seconds, run)
        with ThreadPoolExecutor(1) as beside:
            stored = beside.submit(ingest, generator, node, folder, 2 * seconds, run + 1)
            time.sleep(seconds / 4)
            point = questions(studies)[1]
            busy = ask(generator, node, point, folder, seconds)
            while_asked = stored.result()
    return {
        "start_s": started,
        "rows": rows,
        "memory_mib": [before, after],
        "stored_per_s": alone,
        "while_storing": {**busy, "stored_per_s": while_asked},
    }


def anonymous_mib(pid: int) -> float:
    """Memory that is the process's own, without the pages of the index that are mapped."""
    return procfs.status_field(pid, "RssAnon") / 1024
