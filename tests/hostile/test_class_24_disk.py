"""Bad or full disk (24): no Success that is not kept, a status instead of a broken line, and recovery."""

from __future__ import annotations

import errno
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.hostile.harness import OUT_OF_RESOURCES, Target, fresh_uids
from tests.support.failio import CALLS, Faults, build_faults
from tests.support.node import fastdicom_node, peer_table
from tests.support.processes import missing
from tests.support.rawdicom import CT_IMAGE_STORAGE, ConnectionEnded
from tests.support.rawelements import PIXEL_DATA, explicit, instance
from tests.support.rawserver import RawServer, Sink
from tests.support.retrieve import Querier

MEGABYTE = 1 << 20
SMALL, LARGE = 100_000, 6 * MEGABYTE


def an_instance(size: int) -> tuple[tuple[str, str, str], bytes]:
    """Identifiers and Data Set of a fresh instance."""
    uids = fresh_uids()
    return uids, instance(uids, CT_IMAGE_STORAGE, [explicit(PIXEL_DATA, "OW", bytes(size))])


def test_class_24_below_min_free_stores_are_refused_before_the_data_set(tmp_path: Path) -> None:
    with fastdicom_node(tmp_path / "node", {"archive": {"min_free": "900 TiB"}}) as node:
        target = Target(node, tmp_path, node.archive)
        uids, data = an_instance(LARGE)
        with target.unharmed():
            outcome = target.send_data_set(data, uids[2])
            assert outcome.status == OUT_OF_RESOURCES and outcome.comment
            assert target.studies_found(uids[0]) == 0


def test_class_24_write_that_fails_half_way_is_answered_with_a_status(tmp_path: Path) -> None:
    limit = shutil.which("prlimit")
    if limit is None:
        raise missing("prlimit is not installed")
    launcher = [limit, f"--fsize={3 * MEGABYTE}", "--"]
    with fastdicom_node(tmp_path / "node", launcher=launcher) as node:
        target = Target(node, tmp_path, node.archive)
        uids, data = an_instance(LARGE)
        with target.unharmed():
            assert target.send_data_set(data, uids[2]).status == OUT_OF_RESOURCES
            assert target.studies_found(uids[0]) == 0
        uids, data = an_instance(SMALL)
        with target.unharmed(stored=1):
            assert target.send_data_set(data, uids[2]).status == 0


MOUNT = 'mount -t tmpfs -o size=24m tmpfs "$0" && head -c 8388608 /dev/zero >"$0/ballast" && exec "$@"'


def a_disk_of_our_own(tmp_path: Path) -> Path:
    """Where a file system can be mounted that only one process sees. Raises PeerMissing."""
    disk = tmp_path / "disk"
    disk.mkdir()
    probe = subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", str(disk)], check=False)
    if probe.returncode:
        raise missing("no right to mount a file system in a namespace of our own")
    return disk


@contextmanager
def node_on_a_small_disk(tmp_path: Path) -> Iterator[Target]:
    """A node whose archive is on a file system of 24 MB that only it sees, with 8 MB of ballast."""
    disk = a_disk_of_our_own(tmp_path)
    launcher = ["unshare", "-rm", "sh", "-c", MOUNT, str(disk)]
    with fastdicom_node(tmp_path / "node", launcher=launcher, archive=disk / "archive") as node:
        inside = Path(f"/proc/{node.pid}/root")
        yield Target(node, tmp_path, inside / str(disk / "archive").lstrip("/"))


def test_class_24_full_disk_refuses_and_recovers_without_a_restart(tmp_path: Path) -> None:
    with node_on_a_small_disk(tmp_path) as target:
        kept, refused = [], 0
        with target.unharmed() as after:
            for _ in range(40):
                uids, data = an_instance(MEGABYTE)
                outcome = target.send_data_set(data, uids[2])
                if outcome.status == 0:
                    kept.append(uids[0])
                else:
                    assert outcome.status == OUT_OF_RESOURCES, outcome
                    refused += 1
                    assert target.studies_found(uids[0]) == 0
            assert len(kept) > 3
            assert refused > 10
            after.stored = len(kept)
        (target.store.parent / "ballast").unlink()
        uids, data = an_instance(SMALL)
        with target.unharmed(stored=1):
            assert target.send_data_set(data, uids[2]).status == 0
        assert all(target.studies_found(study) == 1 for study in kept)


FILL = (
    'mount -t tmpfs -o size=24m tmpfs "$0" && "$1" -c "$2" "$0/archive"; '
    'head -c 64000000 /dev/zero >"$0/all"; shift 2; exec "$@"'
)
RUN_ONCE = """
import fastdicom, sys
engine = fastdicom.Engine(fastdicom.Config(port=0, archive={"path": sys.argv[1], "min_free": 0}))
engine.start()
engine.stop()
"""


def full_disk(disk: Path, before: str) -> list[str]:
    """A launcher that fills a disk of 24 MB once a Python program has run with the archive's path on it."""
    return ["unshare", "-rm", "sh", "-c", FILL, str(disk), sys.executable, before]


def test_class_24_a_start_on_a_full_disk_is_a_start(tmp_path: Path) -> None:
    disk = a_disk_of_our_own(tmp_path)
    launcher = full_disk(disk, RUN_ONCE)
    with fastdicom_node(tmp_path / "node", launcher=launcher, archive=disk / "archive") as node:
        target = Target(node, tmp_path, Path(f"/proc/{node.pid}/root") / str(disk / "archive").lstrip("/"))
        uids, data = an_instance(SMALL)
        with target.unharmed():
            assert target.send_data_set(data, uids[2]).status == OUT_OF_RESOURCES
            assert target.studies_found(uids[0]) == 0
        time.sleep(2.5)
        assert node.log.count("C-STORE is refused until") == node.log.count("cannot publish the status") == 1


def test_class_24_a_new_archive_on_a_full_disk_is_refused_in_words(tmp_path: Path) -> None:
    disk = a_disk_of_our_own(tmp_path)
    with (
        pytest.raises(RuntimeError, match="the index cannot be opened: No space left on device"),
        fastdicom_node(tmp_path / "node", launcher=full_disk(disk, ""), archive=disk / "archive"),
    ):
        pytest.fail("it serves")  # it was a SIGBUS: LMDB writes its table of readers through a mapping


@pytest.fixture(scope="module")
def faults(tmp_path_factory: pytest.TempPathFactory) -> Faults:
    """The fault library."""
    return build_faults(tmp_path_factory.mktemp("faults"))


def store_under_faults(target: Target, faults: Faults, call: str, error: int) -> dict[str, bytes]:
    """One instance before, three during, one after the fault; those that were answered with Success."""
    acknowledged: dict[str, bytes] = {}

    def attempt() -> None:
        uids, data = an_instance(SMALL)
        try:
            outcome = target.send_data_set(data, uids[2])
        except ConnectionEnded:  # not even an association: it says no, which is honest
            return
        if outcome.status == 0:
            acknowledged[uids[2]] = data
        elif outcome.refused:
            assert target.studies_found(uids[0]) == 0

    attempt()
    assert len(acknowledged) == 1
    with faults.failing(call, error):
        for _ in range(3):
            attempt()
    attempt()
    return acknowledged


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO], ids=["ENOSPC", "EIO"])
@pytest.mark.parametrize("call", CALLS)
def test_class_24_what_was_acknowledged_beside_a_failing_call_is_there_after_a_restart(
    tmp_path: Path, faults: Faults, call: str, error: int
) -> None:
    sink = Sink()
    with RawServer(sink.serve) as server:
        table = [peer_table("SINK", server.port)]
        with fastdicom_node(tmp_path / "node", peers=table, env=faults.env) as node:
            acknowledged = store_under_faults(Target(node, tmp_path, node.archive), faults, call, error)
            node.kill()
        with fastdicom_node(tmp_path / "node", peers=table) as node, Querier(node.port) as querier:
            querier.move_everything()
    kept = {uid: one.data for uid, one in sink.by_instance().items()}
    assert {uid: kept.get(uid) for uid in acknowledged} == acknowledged


@pytest.mark.parametrize("call", ["fsync", "fdatasync"])
def test_class_24_failed_fsync_is_never_answered_with_success(
    tmp_path: Path, faults: Faults, call: str
) -> None:
    with fastdicom_node(tmp_path / "node", env=faults.env) as node:
        target = Target(node, tmp_path, node.archive)
        other = "fsync" if call == "fdatasync" else "fdatasync"
        with faults.failing(call), faults.failing(other):
            uids, data = an_instance(SMALL)
            outcome = target.send_data_set(data, uids[2])
            assert outcome.ended or outcome.refused
