"""The same questions at Orthanc and dcmqrscp, as far as they can hold the studies; ours beside them."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from bench.querying import archives, node
from bench.querying.generator import Generator
from fastdicom.client import PeerConnection
from fastdicom.reports import Progress
from tests.support import part10, peers
from tests.support.processes import Peer, PeerMissing

Row = dict[str, Any]
Start = Callable[[Path], AbstractContextManager[Peer]]

RIVALS: dict[str, tuple[Start, int]] = {
    "dcmqrscp": (lambda folder: peers.dcmqrscp(folder, "-q"), 400),
    "orthanc": (peers.orthanc, 10_000),
}
"""Name -> (how to start it, how many studies it can hold or takes in a few minutes)."""


def send(peer: Peer, files: Path, total: int) -> float:
    """Store the files at a peer; seconds that it took."""
    started = time.perf_counter()

    def show(progress: Progress) -> None:
        archives.progress(f"to {peer.name}", progress.done, total)

    with PeerConnection("127.0.0.1", peer.port, called=peer.ae_title, calling="BENCH") as connection:
        report = connection.store([files], show)
    if report.failed:
        raise RuntimeError(f"{peer.name} did not take {len(report.failed)} of {total}: {report.failed[0]}")
    return time.perf_counter() - started


def report(
    generator: Generator, folder: Path, scratch: Path, studies: int, seconds: float, names: list[str]
) -> Row:
    """Each rival that can hold so many studies, and ours; who is not installed is told."""
    found: Row = {"studies": studies, "missing": []}
    with node.serving(scratch / f"ours-{studies}", archives.made(folder, studies)) as (ours, _):
        found["fastdicom"] = {"rows": node.ask_all(generator, ours, studies, scratch, seconds)}
    for name in names:
        start, studies_max = RIVALS[name]
        if studies > studies_max:
            continue
        try:
            files = archives.write_files(folder, studies, part10.join)
            with start(scratch / f"{name}-{studies}") as peer:
                filled = send(peer, files, studies * archives.INSTANCES)
                rows = node.ask_all(generator, peer, studies, scratch, seconds)
            found[name] = {"fill_s": filled, "rows": rows}
        except PeerMissing as problem:
            found["missing"].append(f"{name}: {problem}")
    return found
