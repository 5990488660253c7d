"""What is measured: a load has a name, a unit and a function that puts it on one server once.

Times are the clients' (from all associations being open to the last response); CPU time is that of the
server with all the processes that it forks, from /proc.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset

from bench.generator import Generator, LoadFailed
from bench.servers import ARCHIVE, OTHER, OURS_ONLY, SINK, STORE, Server
from tests.support import procfs
from tests.support.datasets import CT_IMAGE_STORAGE, EXPLICIT_LE, Template, encode

KIB = 1024
LARGE, SMALL = 512 * KIB, 16 * KIB
ASSOCIATIONS = (1, 2, 4, 8, 16, 32, 64)
LIMIT = "limit"  # the row of bare system calls
WIDE, MOVED_LARGE, MOVED_SMALL = 1, 2, 3  # runs that the archives are filled with
FIRST_RUN = 10
WIDE_STUDIES = 8  # on as many associations at once; pynetdicom takes ten
STAMPS = {"patient_id": "p", "study": "s", "series": "e", "instance": "i"}


@dataclass(frozen=True)
class Sizes:
    """How much a load does in one round."""

    large: int = 256  # objects of 512 KB
    small: int = 1600  # objects of 16 KB
    echoes: int = 3000
    associations: int = 500
    finds: int = 100
    moved_large: int = 200
    moved_small: int = 800
    idle: int = 1000
    starts: int = 3
    huge: int = 1_000_000_000

    @classmethod
    def tiny(cls) -> Sizes:
        """For the mode that only shows that everything runs."""
        return cls(16, 32, 50, 10, 5, 4, 16, 9, 1, 20_000_000)


@dataclass(frozen=True)
class Sample:
    """One measurement. count: objects, echoes ...; value: in the load's unit; size: bytes of all objects."""

    value: float
    count: int
    seconds: float
    cpu_seconds: float
    client_cpu_seconds: float
    size: int = 0
    note: str = ""
    extra: dict[str, float] = field(default_factory=dict)


@dataclass
class Context:
    """What the loads of one run share."""

    generator: Generator
    folder: Path
    sizes: Sizes
    templates: dict[int, Template] = field(default_factory=dict)
    runs: count[int] = field(default_factory=lambda: count(FIRST_RUN))

    def template(self, size: int) -> Template:
        """The data set of `size` bytes of pixels; its bytes are also in `data_file`."""
        if size not in self.templates:
            self.templates[size] = Template.make(CT_IMAGE_STORAGE, EXPLICIT_LE, size)
            self.data_file(size).write_bytes(self.templates[size].data)
        return self.templates[size]

    def data_file(self, size: int) -> Path:
        """Where loadgen reads the data set."""
        return self.folder / f"data-{size}"

    def filled_file(self, size: int, fill: int) -> Path:
        """The same, whose Pixel Data (the last element) announces `fill` bytes more than are there."""
        if not fill:
            return self.data_file(size)
        data = bytearray(self.template(size).data)
        data[-size - 4 : -size] = (size + fill).to_bytes(4, "little")
        path = self.folder / f"data-{size}-{fill}"
        path.write_bytes(data)
        return path


Put = Callable[[Context, Server], Sample]
Bare = Callable[[Context], Sample]


@dataclass(frozen=True)
class Load:
    """A row group of the table. limit: the same work with bare system calls, where there is such a thing."""

    name: str
    title: str
    unit: str
    role: str
    put: Put
    limit: Bare | None = None
    usual: bool = True  # run when nobody asks for particular loads
    best: bool = False  # the highest value counts, of all rounds (memory); not the median without the first


def client_cpu_seconds() -> float:
    """CPU time of the load generators that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measured(context: Context, server: Server, *arguments: object) -> tuple[dict[str, Any], float, float]:
    """Run loadgen; what it printed, the server's and the client's CPU seconds meanwhile."""
    client, cpu = client_cpu_seconds(), procfs.cpu_seconds(server.peer.pid)
    result = context.generator.run(*arguments)
    return result, round(procfs.cpu_seconds(server.peer.pid) - cpu, 6), client_cpu_seconds() - client


# Ingest


def store(
    context: Context, server: Server, size: int, associations: int, each: int, run: int, fill: int = 0
) -> Sample:
    """Send `each` objects on every association; raises LoadFailed unless all are answered with 0000H.

    fill: zeros that the pixels of each object have behind the `size` bytes.
    """
    template = context.template(size)
    offsets = ",".join(f"{STAMPS[kind]}{at}" for kind, places in template.offsets.items() for at in places)
    peer = server.peer
    data = (context.filled_file(size, fill), offsets, run, fill)
    result, cpu, client = measured(
        context, server, "store", peer.port, peer.ae_title, associations, each, *data
    )
    sent = associations * each
    return Sample(sent / result["seconds"], sent, result["seconds"], cpu, client, sent * (size + fill))


def each_of(total: int, associations: int, share: float = 1.0) -> int:
    """Objects for one association, at least four."""
    return max(4, int(total * share) // associations)


@contextmanager
def neighbour(context: Context, server: Server, wanted: bool) -> Iterator[None]:
    """An association beside the load that sends an echo every millisecond."""
    if not wanted:
        yield
        return
    peer = server.peer
    with context.generator.held("chatty", peer.port, peer.ae_title, 1, 0) as conversation:
        conversation.answer()
        yield


def ingest(size: int, associations: int, *, chatty: bool = False) -> Load:
    """Objects of `size` bytes on so many associations at once; chatty: one more that echoes."""

    def total(sizes: Sizes) -> int:
        return sizes.large if size == LARGE else sizes.small

    def put(context: Context, server: Server) -> Sample:
        each, run = each_of(total(context.sizes), associations, server.share), next(context.runs)
        with neighbour(context, server, chatty):
            sample = store(context, server, size, associations, each, run)
        if ARCHIVE in server.roles:
            return replace(sample, note=lost(context, server, run, associations, each))
        return sample

    def limit(context: Context) -> Sample:
        context.template(size)
        folder = context.folder / f"files-{next(context.runs)}"
        folder.mkdir()
        before = client_cpu_seconds()
        each = each_of(total(context.sizes), associations)
        result = context.generator.run("files", folder, size, associations, each)
        seconds, written = result["seconds"], associations * each
        cpu = client_cpu_seconds() - before
        return Sample(written / seconds, written, seconds, cpu, 0.0, written * size)

    kib, plural = size // KIB, "s" if associations > 1 else ""
    title = f"Ingest {kib} KB, {associations} association{plural}"
    if chatty:
        name = f"ingest-{kib}k-{associations}-chatty"
        return Load(name, f"{title} beside one that echoes", "objects/s", STORE, put)
    usual = size == SMALL or associations in (1, 4, 16)
    return Load(f"ingest-{kib}k-{associations}", title, "objects/s", STORE, put, limit, usual)


def huge(units: int, associations: int) -> Load:
    """One object of so many GB on each of the associations; with it the server's highest resident memory.

    It is not usual: each round writes so many GB, and other servers hold an object in memory.
    """

    def put(context: Context, server: Server) -> Sample:
        fill, run = units * context.sizes.huge, next(context.runs)
        procfs.reset_peak(server.peer.pid)
        sample = store(context, server, LARGE, associations, 1, run, fill)
        peak = procfs.peak_mb(server.peer.pid)
        rate = sample.size / sample.seconds / 1e6
        return replace(sample, value=rate, note=f"peak {peak:.0f} MiB", extra={"peak_mib": peak})

    title = f"{associations} object{'s' if associations > 1 else ''} of {units} GB at once"
    return Load(f"huge-{units}g-{associations}", title, "MB/s", OURS_ONLY, put, usual=False)


# Find and move


def stamped(context: Context, kind: str, run: int, association: int) -> str:
    """The identifier that loadgen wrote over the template's, as its stamp() does."""
    base = str(getattr(context.template(SMALL).uids, kind))
    if kind == "patient_id":
        return base[:5] + f"{run:04d}{association:03d}"
    return base[:-14] + f"{run:04d}{association:03d}{0:07d}"


def query(context: Context, level: str, **keys: str) -> Path:
    """A file with the identifier."""
    identifier = Dataset()
    identifier.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(identifier, keyword, value)
    path = context.folder / "identifier"
    path.write_bytes(encode(identifier, EXPLICIT_LE))
    return path


def series_query(context: Context, run: int, association: int, **keys: str) -> Path:
    """IMAGE level in the series that one association filled."""
    study, series = (stamped(context, kind, run, association) for kind in ("study", "series"))
    return query(
        context, "IMAGE", StudyInstanceUID=study, SeriesInstanceUID=series, SOPInstanceUID="", **keys
    )


def lost(context: Context, server: Server, run: int, associations: int, each: int) -> str:
    """What the archive does not find of what it has acknowledged, on the first and the last association."""
    peer, missing = server.peer, 0
    for association in {0, associations - 1}:
        path = series_query(context, run, association)
        missing += each - int(context.generator.run("find", peer.port, peer.ae_title, 1, 1, path)["answers"])
    return f"acknowledged but not found: {missing}" if missing else ""


def find(
    name: str, title: str, identifier: Callable[[Context], Path], answers: Callable[[Sizes], int]
) -> Load:
    """Queries one after the other on one association; the value is queries a second."""

    def put(context: Context, server: Server) -> Sample:
        peer, expected = server.peer, answers(context.sizes)
        each = max(2, int(context.sizes.finds * server.share) // (1 if expected < 100 else 10))
        path = identifier(context)
        result, cpu, client = measured(context, server, "find", peer.port, peer.ae_title, 1, each, path)
        got = result["answers"] / each
        note = "" if got == expected else f"{got:g} answers instead of {expected}"
        extra = {"first_ms": 1000 * result["first_seconds"], "answers": expected}
        return Sample(each / result["seconds"], each, result["seconds"], cpu, client, note=note, extra=extra)

    return Load(name, title, "queries/s", ARCHIVE, put)


def one_study(context: Context) -> Path:
    """STUDY level by Patient ID; one answer."""
    patient = stamped(context, "patient_id", WIDE, WIDE_STUDIES - 1)
    return query(context, "STUDY", PatientID=patient, PatientName="", StudyDate="", StudyInstanceUID="")


def some_studies(context: Context) -> Path:
    """STUDY level by a wild card; WIDE_STUDIES answers."""
    patients = stamped(context, "patient_id", WIDE, 0)[:-3] + "*"
    return query(context, "STUDY", PatientID=patients, PatientName="", StudyDate="", StudyInstanceUID="")


def many_images(context: Context) -> Path:
    """IMAGE level in one series; as many answers as it has instances."""
    return series_query(context, MOVED_SMALL, 0, InstanceNumber="", SOPClassUID="")


_MOVES = 4  # one after the other in a turn: CPU time is counted in hundredths of a second


def move(size: int, run: int, moved: Callable[[Sizes], int]) -> Load:
    """C-MOVE of one study to a sink that discards; the value is objects a second."""

    def put(context: Context, server: Server) -> Sample:
        times = each_of(_MOVES, 1, server.share)
        peer, expected = server.peer, moved(context.sizes) * times
        path = query(context, "STUDY", StudyInstanceUID=stamped(context, "study", run, 0))
        result, cpu, client = measured(
            context, server, "move", peer.port, peer.ae_title, 1, times, path, SINK
        )
        if result["answers"] != expected:
            raise LoadFailed(f"{result['answers']} of {expected} instances moved")
        return Sample(expected / result["seconds"], expected, result["seconds"], cpu, client, expected * size)

    kib = size // KIB
    return Load(f"move-{kib}k", f"C-MOVE of {kib} KB objects to a sink", "objects/s", ARCHIVE, put)


def fill(context: Context, server: Server) -> None:
    """Store what find and move ask for. Not timed."""
    sizes = context.sizes
    store(context, server, SMALL, WIDE_STUDIES, 4, WIDE)
    store(context, server, LARGE, 1, sizes.moved_large, MOVED_LARGE)
    store(context, server, SMALL, 1, sizes.moved_small, MOVED_SMALL)


# Associations


def repeated(mode: str, title: str, unit: str, threads: int, total: Callable[[Sizes], int]) -> Load:
    """`total` echoes, or associations with one echo each, over so many connections."""

    def put(context: Context, server: Server) -> Sample:
        peer, each = server.peer, each_of(total(context.sizes), threads, server.share)
        result, cpu, client = measured(context, server, mode, peer.port, peer.ae_title, threads, each)
        done = threads * each
        return Sample(done / result["seconds"], done, result["seconds"], cpu, client)

    return Load(f"{mode}-{threads}", title, unit, OTHER, put)


def in_turn(sizes: Sizes) -> int:
    """Associations opened and released."""
    return sizes.associations


def put_idle(context: Context, server: Server) -> Sample:
    """Memory for each association that is open and silent."""
    peer, held = server.peer, context.sizes.idle
    before = procfs.proportional_mb(peer.pid)
    with context.generator.held("idle", peer.port, peer.ae_title, 1, held) as conversation:
        conversation.answer()
        grown = procfs.proportional_mb(peer.pid) - before
    return Sample(grown * KIB / held, held, 0.0, 0.0, 0.0)


# Starting


def as_installed(context: Context) -> dict[str, str]:
    """The environment of an installed package, whose bytecode was compiled when it was put in place."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": str(context.folder / "bytecode")}


def put_start(context: Context, server: Server) -> Sample:
    """A node of its own on an empty archive: milliseconds until it says that it listens.

    The first start compiles, as an installation does, and is not counted.
    """
    took = []
    for _ in range(1 + context.sizes.starts):
        folder = context.folder / f"start-{next(context.runs)}"
        argv = [sys.executable, "-m", "fastdicom", "serve", "--port", "0", "--archive", str(folder)]
        began = time.monotonic()
        pipe, environment = subprocess.PIPE, as_installed(context)
        with subprocess.Popen(argv, stdout=pipe, stderr=subprocess.DEVNULL, env=environment) as process:
            assert process.stdout is not None
            line = process.stdout.readline()
            took.append(time.monotonic() - began)
            process.terminate()
        if not line:
            raise LoadFailed("the node ended instead of listening")
    del took[0]
    return Sample(1000 * statistics.median(took), len(took), sum(took), 0.0, 0.0)


def put_import(context: Context, server: Server) -> Sample:
    """Milliseconds that `import fastdicom` takes in a new interpreter."""
    code = "import time; began = time.perf_counter(); import fastdicom; print(time.perf_counter() - began)"
    argv = [sys.executable, "-c", code]
    environment = as_installed(context)
    took = [
        float(subprocess.run(argv, capture_output=True, check=True, text=True, env=environment).stdout)
        for _ in range(1 + context.sizes.starts)
    ]
    del took[0]  # it compiled
    return Sample(1000 * statistics.median(took), len(took), sum(took), 0.0, 0.0)


# The system


def loopback(context: Context) -> Sample:
    """One TCP connection on this machine."""
    result = context.generator.run("loopback", 2_000_000_000)
    rate = result["bytes"] / result["seconds"] / 1e9
    return Sample(rate, 1, result["seconds"], 0.0, 0.0)


def nobody(context: Context, server: Server) -> Sample:
    """No server takes part in it."""
    raise LoadFailed("only the system is measured")


LOADS = {
    load.name: load
    for load in (
        *(ingest(LARGE, associations) for associations in ASSOCIATIONS),
        *(ingest(SMALL, associations) for associations in ASSOCIATIONS),
        ingest(SMALL, 8, chatty=True),
        huge(1, 10),
        huge(4, 1),
        find("find-study", "C-FIND STUDY by Patient ID, 1 answer", one_study, lambda sizes: 1),
        find("find-studies", "C-FIND STUDY by wild card, 8 answers", some_studies, lambda _: WIDE_STUDIES),
        find("find-images", "C-FIND IMAGE, a whole series", many_images, lambda sizes: sizes.moved_small),
        move(LARGE, MOVED_LARGE, lambda sizes: sizes.moved_large),
        move(SMALL, MOVED_SMALL, lambda sizes: sizes.moved_small),
        repeated("echo", "C-ECHO on one association", "echoes/s", 1, lambda sizes: sizes.echoes),
        repeated("assoc", "Open, echo, release; one at a time", "associations/s", 1, in_turn),
        repeated("assoc", "Open, echo, release; four at a time", "associations/s", 4, in_turn),
        Load("idle", "Memory of an idle association", "KiB", OTHER, put_idle, best=True),
        Load("start", "Start to listening on an empty archive", "ms", OURS_ONLY, put_start),
        Load("import", "import fastdicom", "ms", OURS_ONLY, put_import),
        Load("loopback", "TCP over loopback", "GB/s", "system", nobody, loopback),
    )
}
