"""What one round of each kind of load does: ingest, echo, associations, find, move, and the bare limits."""

from __future__ import annotations

import itertools
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.peers.generator import Background, Generator, LoadFailed, query_file, store_file
from bench.peers.measure import Sample, Usage, clear, sample, used_by
from bench.peers.servers import Server
from tests.support import procfs
from tests.support.datasets import numbered_uids
from tests.support.processes import Peer
from tests.support.rawdicom import STUDY_ROOT_FIND, STUDY_ROOT_MOVE
from tests.support.rawelements import (
    ACCESSION_NUMBER,
    PATIENT_ID,
    PATIENT_NAME,
    STUDY_DATE,
    STUDY_INSTANCE_UID,
    identifier,
)

KIB, GB = 1024, 1_000_000_000
SINK_TITLE = "SINK"
STUDIES, INSTANCES_PER_STUDY = 400, 5  # dcmqrscp keeps 500 studies at most
_runs = itertools.count(1)


@dataclass
class Bench:
    """What every load needs: the generator, a folder on the disk to measure, and how long a round is."""

    generator: Generator
    folder: Path
    seconds: float
    sink: Background
    sink_port: int

    def fresh_folder(self) -> Path:
        """A folder that does not exist yet."""
        return self.folder / f"run{next(_runs)}"

    def scale(self, count: int) -> int:
        """`count` for rounds of three seconds, fewer for shorter ones."""
        return max(20, int(count * min(1.0, self.seconds / 3)))


@dataclass(frozen=True)
class Load:
    """A load by name; `measure` is one round of it.

    fresh: the server is started for each round, on an empty folder; else it runs through all rounds, and
    `prepare` filled it. size: bytes of pixels. fill: bytes appended to them. count: operations of each
    association instead of a time. instances: of the study that is moved. neighbour: echoes beside it.
    """

    name: str
    unit: str
    measure: Callable[[Bench, Load, Server, Peer], Sample]
    fresh: bool = True
    prepare: Callable[[Bench, Load, Peer], None] | None = None
    queries: bool = False
    associations: int = 1
    size: int = 0
    fill: int = 0
    count: int = 0
    instances: int = 0
    neighbour: bool = False

    def unfit(self, server: Server) -> str:
        """Why the server cannot take the load; "" when it can."""
        if self.queries and not server.queries:
            return "no query service"
        needed = self.associations + self.neighbour
        return f"{server.associations_max} associations at most" if needed > server.associations_max else ""


# ---------------------------------------------------------------------------------- ingest


@contextmanager
def chatty_neighbour(bench: Bench, peer: Peer, wanted: bool) -> Iterator[None]:
    """An association that echoes a thousand times a second beside the load."""
    if not wanted:
        yield
        return
    options = ["--port", str(peer.port), "--called", peer.ae_title, "--pause-us", "1000"]
    process = subprocess.Popen([bench.generator.binary, "echo", *options], stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def ingest(bench: Bench, load: Load, server: Server, peer: Peer) -> Sample:
    """C-STORE of distinct instances over all associations until time is up."""
    source = store_file(bench.folder, load.size, next(_runs), load.fill)
    options: dict[str, Any] = {"count": load.count} if load.count else {"seconds": bench.seconds}
    options |= {"associations": load.associations, "fill": load.fill, **source.options()}
    with used_by(peer, bench.generator) as usage, chatty_neighbour(bench, peer, load.neighbour):
        figures = bench.generator.run(
            "store", source.patches, port=peer.port, called=peer.ae_title, **options
        )
    return sample(load.name, server.name, load.unit, figures, usage, figures["operations"])


# ------------------------------------------------------------------- echo and associations


def echo(bench: Bench, load: Load, server: Server, peer: Peer) -> Sample:
    """C-ECHO after C-ECHO on one association; or associations opened, echoed and released."""
    command = "echo" if load.name.startswith("echo") else "associate"
    options = {"associations": load.associations, "seconds": bench.seconds}
    with used_by(peer, bench.generator) as usage:
        figures = bench.generator.run(command, port=peer.port, called=peer.ae_title, **options)
    return sample(load.name, server.name, load.unit, figures, usage, figures["operations"])


def idle(bench: Bench, load: Load, server: Server, peer: Peer) -> Sample:
    """Memory of associations that were opened and say nothing; the rate is KiB each."""
    before = _memory_mb(peer)
    with bench.generator.started(
        "idle", port=peer.port, called=peer.ae_title, associations=load.associations
    ) as held:
        held.line()
        time.sleep(0.5)
        grown = _memory_mb(peer) - before
    each = grown * 1024 / load.associations
    return Sample(load.name, server.name, load.unit, rate=each, operations=load.associations, memory_mb=grown)


def _memory_mb(peer: Peer) -> float:
    return sum(procfs.resident_mb(pid) for pid in [peer.pid, *procfs.children(peer.pid)])


# --------------------------------------------------------------------------- find and move

QUERY_RUN = 77777


def populate(bench: Bench, peer: Peer, size: int, studies: int, per_study: int) -> None:
    """Store `studies` studies of `per_study` instances over one association."""
    source = store_file(bench.folder, size, QUERY_RUN)
    figures = bench.generator.run(
        "store",
        source.patches,
        port=peer.port,
        called=peer.ae_title,
        count=studies * per_study,
        per_series=per_study,
        per_study=per_study,
        **source.options(),
    )
    if figures["failed"]:
        raise LoadFailed(f"{figures['failed']} instances were not taken")


UIDS = numbered_uids(QUERY_RUN, 0)
IDENTIFIERS = {
    "find-study": identifier("STUDY", {STUDY_INSTANCE_UID: UIDS.study, PATIENT_NAME: "", STUDY_DATE: ""}),
    "find-patient": identifier(
        "STUDY", {PATIENT_ID: UIDS.patient_id, STUDY_INSTANCE_UID: "", PATIENT_NAME: ""}
    ),
    "find-all": identifier(
        "STUDY",
        {STUDY_INSTANCE_UID: "", PATIENT_NAME: "", PATIENT_ID: "", ACCESSION_NUMBER: "", STUDY_DATE: ""},
    ),
}


def prepare_find(bench: Bench, load: Load, peer: Peer) -> None:
    """Small studies to look for."""
    populate(bench, peer, 1024, STUDIES, INSTANCES_PER_STUDY)


def find(bench: Bench, load: Load, server: Server, peer: Peer) -> Sample:
    """C-FIND after C-FIND; universal matches count answers, the others queries."""
    query = query_file(bench.folder, load.name, IDENTIFIERS[load.name], QUERY_RUN)
    options = {"file": query.path, "class": STUDY_ROOT_FIND, "keys": STUDIES, "seconds": bench.seconds}
    with used_by(peer, bench.generator) as usage:
        figures = bench.generator.run(
            "find",
            query.patches,
            port=peer.port,
            called=peer.ae_title,
            associations=load.associations,
            **options,
        )
    wanted = STUDIES if load.name == "find-all" else 1
    if figures["answers"] != wanted * figures["operations"]:
        raise LoadFailed(f"{figures['answers']} answers to {figures['operations']} queries")
    counted = figures["answers"] if load.name == "find-all" else figures["operations"]
    return sample(load.name, server.name, load.unit, figures, usage, counted)


def prepare_move(bench: Bench, load: Load, peer: Peer) -> None:
    """One study."""
    populate(bench, peer, load.size, 1, bench.scale(load.instances))


def move(bench: Bench, load: Load, server: Server, peer: Peer) -> Sample:
    """C-MOVE of the study to the counting sink, again and again; objects a second as the sink saw them."""
    keys = identifier("STUDY", {STUDY_INSTANCE_UID: UIDS.study})
    query = query_file(bench.folder, load.name, keys, QUERY_RUN)
    options = {"file": query.path, "class": STUDY_ROOT_MOVE, "destination": SINK_TITLE}
    bench.sink.ask()
    with used_by(peer, bench.generator) as usage:
        figures = bench.generator.run(
            "move", query.patches, port=peer.port, called=peer.ae_title, seconds=bench.seconds, **options
        )
    arrived = bench.sink.ask()
    if arrived["objects"] != figures["operations"] * bench.scale(load.instances):
        raise LoadFailed(f"{arrived['objects']} objects arrived in {figures['operations']} retrieves")
    figures["bytes"] = arrived["bytes"]
    return sample(load.name, server.name, load.unit, figures, usage, arrived["objects"])


# ---------------------------------------------------------------------------------- limits


FILES = [(512 * KIB, 1), (512 * KIB, 4), (512 * KIB, 8), (16 * KIB, 1), (16 * KIB, 8), (16 * KIB, 16)]


def limits(bench: Bench) -> Iterator[Sample]:
    """What files + fdatasync, the page cache and loopback reach without any DICOM."""
    for size, threads in FILES:
        folder = bench.fresh_folder()
        folder.mkdir()
        figures = bench.generator.run(
            "files", folder=folder, size=size, associations=threads, seconds=bench.seconds
        )
        name = f"files-{size // KIB}k-{threads}"
        yield sample(name, "machine", "files/s", figures, Usage(), figures["operations"])
        clear(folder)
    size = bench.scale(4000) * 1_000_000
    for command in ("page-cache", "loopback"):
        figures = bench.generator.run(command, folder=bench.folder, size=size)
        rate = size / figures["seconds"] / 1e9
        yield Sample(command, "machine", "GB/s", rate=rate, bytes=size, seconds=figures["seconds"])
