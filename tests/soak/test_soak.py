"""Twenty-four hours in ten minutes (--soak-seconds 600), or a sample: nothing grows, counts are right."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import fastdicom
from fastdicom.net.crew import IDLE_MAX
from tests.soak.load import CountingSink, Load, hang_up
from tests.support import procfs
from tests.support.node import Node, fastdicom_node, peer_table
from tests.support.rawserver import RawServer, closed_port

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1800)]

WARM_UP_SHARE = 0.25
MEMORY_GROWTH_MB = 6.0  # of memory that is not a file's, from the end of the warm-up on
FLUSHERS_MAX = 8  # THREADS_MAX of ext/flusher.pyx
STORED_MAX = 24 << 20
CHANGES = {
    "node": {"max_associations": 60},
    "timeouts": {"artim": "3 s", "idle": "6 s", "connect": "2 s", "response": "10 s"},
    "retention": {"max_size": STORED_MAX},
    "verify": {"interval": "5 s", "rate": "40 MB"},
}


@dataclass(frozen=True)
class Shape:
    """What a process holds when nobody talks to it."""

    anonymous_mb: float
    descriptors: int
    threads: int

    @classmethod
    def of(cls, pid: int) -> Shape:
        return cls(
            procfs.status_field(pid, "RssAnon") / 1024,
            procfs.descriptor_count(pid) - made_ahead(pid),
            procfs.thread_count(pid),
        )


def made_ahead(pid: int) -> int:
    """Open files of the archive that are still empty: how many differs with where a block has got to."""
    names = (path.resolve() for path in Path(f"/proc/{pid}/fd").iterdir())
    return sum(name.suffix == ".dcm" and name.is_file() and not name.stat().st_size for name in names)


def test_a_day_of_mixed_load_leaves_nothing_behind(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    seconds = request.config.getoption("--soak-seconds")
    sink = CountingSink()
    with RawServer(sink.serve) as taker, RawServer(hang_up) as rude:
        table = [
            peer_table("SINK", taker.port), peer_table("RUDE", rude.port), peer_table("GONE", closed_port()),
        ]  # fmt: skip
        with fastdicom_node(tmp_path / "node", CHANGES, peers=table) as node:
            idle = Shape.of(node.pid)
            load = Load(node, tmp_path / "node" / "node.toml", seed=20260302)
            warm_up = seconds * WARM_UP_SHARE
            run_for(load, warm_up)
            before = at_rest(node)
            run_for(load, max(20.0, seconds - warm_up))
            after = at_rest(node)
            check_counts(node, load)
            report(load, sink, before, after, seconds)
            assert not load.account.problems, load.account.problems[:10]
            assert after.descriptors <= before.descriptors
            assert after.threads <= idle.threads + IDLE_MAX + FLUSHERS_MAX  # kept for later work
            assert after.anonymous_mb - before.anonymous_mb < MEMORY_GROWTH_MB
            assert "Traceback" not in node.log
            assert node.stop() == 0
    with fastdicom.Archive(node.archive) as archive:
        assert archive.verify().ok
    assert not list((node.archive / "objects").rglob("*.part"))


def run_for(load: Load, seconds: float) -> None:
    load.start()
    time.sleep(seconds)
    load.stop()


def at_rest(node: Node) -> Shape:
    """The node's shape once it has no association and nothing left to delete; the lowest of some looks."""
    wait_until(lambda: figures(node)["associations"]["open"] == 0, "associations stay open")
    wait_until(lambda: figures(node)["associations"]["half_open"] == 0, "connections stay half open")
    time.sleep(7)  # retention looks every 5 s
    wait_until(lambda: figures(node)["counts"]["bytes"] <= STORED_MAX, "retention does not keep up", 120)
    time.sleep(2)  # the status is told every second
    looks = []
    for _ in range(5):
        looks.append(Shape.of(node.pid))
        time.sleep(0.3)
    return Shape(
        min(look.anonymous_mb for look in looks),
        min(look.descriptors for look in looks),
        min(look.threads for look in looks),
    )


def figures(node: Node) -> dict[str, dict[str, int]]:
    content: dict[str, dict[str, int]] = json.loads((node.archive / "status.json").read_text("utf-8"))
    return content


def wait_until(condition: Callable[[], bool], complaint: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, complaint
        time.sleep(0.2)


def check_counts(node: Node, load: Load) -> None:
    """Everything that was acknowledged is there, or was deleted and counted; nothing else is."""
    account = load.account
    told = figures(node)
    by_retention = told["retention"]["deleted_instances"]
    with fastdicom.Archive(node.archive) as archive:
        counts = archive.counts()
        assert counts.instances == account.acknowledged - account.deleted - by_retention
        assert counts.bytes <= STORED_MAX
        studies = list(archive.find("STUDY", NumberOfStudyRelatedInstances="", StudyInstanceUID=""))
        assert sum(int(study.NumberOfStudyRelatedInstances) for study in studies) == counts.instances
        assert len(studies) == counts.studies
    paths = (node.archive / "objects").rglob("*.dcm")
    files = sum(path.stat().st_size > 0 for path in paths)  # empty ones are made ahead
    assert files == counts.instances
    assert told["verify"]["damaged"] == 0
    assert told["verify"]["checked"] > 0
    assert by_retention > 0


def report(load: Load, sink: CountingSink, before: Shape, after: Shape, seconds: float) -> None:
    """What there was to see; pytest shows it with -s, and when the test fails."""
    account = load.account
    echo = 1000 * account.slowest_echo_s
    print(f"\n{seconds:.0f} s: {account.acknowledged} stored, {sink.received} sent on,")
    print(f"{account.deleted} deleted by hand, slowest echo {echo:.0f} ms, {dict(account.counts)}")
    print(f"at rest after the warm-up {before}\nat the end {after}")
