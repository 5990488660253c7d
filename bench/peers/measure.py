"""One measurement: what the generator saw, and what the server's processes used meanwhile."""

from __future__ import annotations

import os
import shutil
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.peers.generator import Generator
from tests.support import procfs
from tests.support.processes import Peer


@dataclass
class Sample:
    """One round of one load at one server. rate: per second of `unit`; absent figures are None."""

    load: str
    server: str
    unit: str
    rate: float | None = None
    operations: int = 0
    bytes: int = 0
    seconds: float = 0.0
    cpu_us: float | None = None
    cpu_s_per_gb: float | None = None
    p50_us: int | None = None
    p99_us: int | None = None
    memory_mb: float | None = None
    error: str = ""


@dataclass
class Usage:
    """CPU seconds and peak memory of a server over a `with` block."""

    cpu_s: float = 0.0
    memory_mb: float = 0.0


@contextmanager
def used_by(peer: Peer, generator: Generator) -> Iterator[Usage]:
    """Measure the server and its children; two short associations at the end let a forking one reap them."""
    usage = Usage()
    before = procfs.cpu_seconds(peer.pid)
    procfs.reset_peak(peer.pid)
    yield usage
    generator.run("associate", port=peer.port, called=peer.ae_title, count=2)
    usage.cpu_s = procfs.cpu_seconds(peer.pid) - before
    usage.memory_mb = procfs.peak_mb(peer.pid)


def sample(
    load: str, server: str, unit: str, figures: dict[str, Any], usage: Usage, operations: int
) -> Sample:
    """Put together what was measured; `operations` is what the rate and the CPU time are divided by."""
    size = int(figures["bytes"])
    return Sample(
        load,
        server,
        unit,
        rate=operations / figures["seconds"] if figures["seconds"] else None,
        operations=operations,
        bytes=size,
        seconds=figures["seconds"],
        cpu_us=usage.cpu_s / operations * 1e6 if operations else None,
        cpu_s_per_gb=usage.cpu_s / (size / 1e9) if size else None,
        p50_us=figures["p50_us"],
        p99_us=figures["p99_us"],
        memory_mb=usage.memory_mb,
        error=f"{figures['failed']} failed" if figures["failed"] else "",
    )


def clear(folder: Path) -> None:
    """Delete what a round left, and wait for the disk, so that it does not slow the next round."""
    shutil.rmtree(folder, ignore_errors=True)
    os.sync()


@dataclass
class Summary:
    """The rounds of one load at one server. spread: half of highest minus lowest rate, by the median."""

    load: str
    server: str
    unit: str
    rate: float | None
    spread: float | None
    cpu_us: float | None
    cpu_s_per_gb: float | None
    p50_us: float | None
    p99_us: float | None
    memory_mb: float | None
    error: str
    ratio: float | None = None
    rounds: list[dict[str, Any]] = field(default_factory=list)


def _median(samples: list[Sample], name: str) -> float | None:
    values = [value for one in samples if (value := getattr(one, name)) is not None]
    return statistics.median(values) if values else None


def summarise(samples: list[Sample]) -> Summary:
    """Medians of the rounds."""
    rate = _median(samples, "rate")
    rates = [one.rate for one in samples if one.rate is not None]
    return Summary(
        samples[0].load,
        samples[0].server,
        samples[0].unit,
        rate,
        (max(rates) - min(rates)) / 2 / rate if rate and len(rates) > 1 else None,
        _median(samples, "cpu_us"),
        _median(samples, "cpu_s_per_gb"),
        _median(samples, "p50_us"),
        _median(samples, "p99_us"),
        _median(samples, "memory_mb"),
        next((one.error for one in samples if one.error), ""),
        rounds=[asdict(one) for one in samples],
    )
