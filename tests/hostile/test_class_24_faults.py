"""Faults of the machine (24): a device that fails, read-only, no descriptors, a clock that jumps.

Right answers meanwhile, recovery without a restart, nothing acknowledged lost.
"""

from __future__ import annotations

import errno
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

import fastdicom
from tests.hostile.harness import OUT_OF_RESOURCES, Target, fresh_uids
from tests.support import procfs
from tests.support.failio import Faults, build_faults
from tests.support.node import fastdicom_node
from tests.support.processes import missing
from tests.support.rawdicom import CT_IMAGE_STORAGE, ConnectionEnded, RawAssociation, Rejected
from tests.support.rawelements import PIXEL_DATA, explicit, instance
from tests.support.small_disk import device_that_runs_out
from tests.support.waiting import wait_for

MEGABYTE = 1 << 20
WRITES = ("write", "pwrite", "writev", "fsync", "fdatasync", "rename", "ftruncate", "fallocate")


class Stored:
    """Sends fresh instances and keeps those that were answered with Success."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.acknowledged: dict[str, bytes] = {}

    def send(self, size: int = 100_000) -> int | None:
        """The status; None when the association did not come about or ended."""
        uids = fresh_uids()
        data = instance(uids, CT_IMAGE_STORAGE, [explicit(PIXEL_DATA, "OW", bytes(size))])
        try:
            status = self.target.send_data_set(data, uids[2]).status
        except (ConnectionEnded, Rejected, OSError):
            return None
        if status == 0:
            self.acknowledged[uids[2]] = data
        return status

    def check(self, archive: Path) -> None:
        """All of these are in the archive and whole, and its index and files agree."""
        with fastdicom.Archive(archive) as opened:
            for uid, data in self.acknowledged.items():
                entries = opened.instances(SOPInstanceUID=uid)
                assert len(entries) == 1, f"{uid} was acknowledged and is gone"
                assert opened.path_of(entries[0]).read_bytes()[entries[0].file.dataset_offset :] == data
            assert opened.verify().ok


def test_class_24_a_device_whose_writes_fail_is_mistrusted_until_they_succeed(tmp_path: Path) -> None:
    with device_that_runs_out(tmp_path) as device:
        archive = device.mounted / "archive"
        with fastdicom_node(tmp_path / "node", archive=archive) as node:
            target = Target(node, tmp_path, node.archive)
            stored = Stored(target)
            for _ in range(60):
                if stored.send(MEGABYTE) != 0:
                    break
            assert 3 < len(stored.acknowledged) < 60
            for _ in range(5):
                assert stored.send(MEGABYTE) == OUT_OF_RESOURCES
            with target.associate() as association:
                assert association.echo() == 0
                association.release()
            device.heal()
            assert [stored.send(MEGABYTE) for _ in range(3)][1:] == [0, 0]
            assert "is not trusted" in node.log
            node.kill()
        device.mount_anew()
        with fastdicom_node(tmp_path / "node", archive=archive):
            pass
        stored.check(archive)


def test_class_24_a_file_system_that_turns_read_only_refuses_and_still_answers(tmp_path: Path) -> None:
    with device_that_runs_out(tmp_path, room="100m", journal=True) as device:
        archive = device.mounted / "archive"
        with fastdicom_node(tmp_path / "node", archive=archive) as node:
            target = Target(node, tmp_path, node.archive)
            stored = Stored(target)
            assert [stored.send() for _ in range(3)] == [0, 0, 0]
            device.fail_for_good()
            assert [stored.send() for _ in range(4)] == [OUT_OF_RESOURCES] * 4
            study = next(iter(stored.acknowledged)).removesuffix(".1.1")
            assert target.studies_found(study) == 1
            assert node.alive and "Traceback" not in node.log
            node.kill()
        device.mount_anew()
        with fastdicom_node(tmp_path / "node", archive=archive) as node:
            assert Stored(Target(node, tmp_path, node.archive)).send() == 0
        stored.check(archive)


@pytest.fixture(scope="module")
def faults(tmp_path_factory: pytest.TempPathFactory) -> Faults:
    """The fault library."""
    return build_faults(tmp_path_factory.mktemp("faults"))


@pytest.mark.parametrize("error", [errno.EROFS, errno.EIO, errno.ENOSPC, errno.EDQUOT])
def test_class_24_while_every_write_fails_nothing_is_acknowledged_and_then_it_goes_on(
    tmp_path: Path, faults: Faults, error: int
) -> None:
    with fastdicom_node(tmp_path / "node", env=faults.env) as node:
        target = Target(node, tmp_path, node.archive)
        stored = Stored(target)
        assert stored.send() == 0
        with ExitStack() as failing:
            for call in WRITES:
                failing.enter_context(faults.failing(call, error))
            for _ in range(4):
                assert stored.send() in (OUT_OF_RESOURCES, None)
        assert [stored.send() for _ in range(3)][1:] == [0, 0]
        assert node.alive and "Traceback" not in node.log
        node.kill()
    with fastdicom_node(tmp_path / "node"):
        pass
    stored.check(node.archive)


def test_class_24_an_index_whose_sync_failed_is_read_anew_before_it_is_written(
    tmp_path: Path, faults: Faults
) -> None:
    """LMDB's own fdatasync fails once: what memory holds of the index then is not what the disk has."""
    with fastdicom_node(tmp_path / "node", env=faults.env) as node:
        target = Target(node, tmp_path, node.archive)
        stored = Stored(target)
        assert stored.send() == 0
        # A query waits for rows on their way: otherwise the first one's sync could be the one let pass.
        assert target.studies_found(next(iter(stored.acknowledged)).removesuffix(".1.1")) == 1
        with faults.failing("fdatasync", skip=1, count=1):  # the file's own passes, the index's fails
            assert stored.send() == 0
            wait_for(lambda: "wait for their rows" in node.log, lambda: node.log[-2000:])
        assert [stored.send() for _ in range(3)] == [0, 0, 0]
        node.kill()
    with fastdicom_node(tmp_path / "node"):
        pass
    stored.check(node.archive)


@contextmanager
def few_descriptors(pid: int, more: int) -> Iterator[None]:
    """The process may open only `more` descriptors than it has."""
    program = shutil.which("prlimit")
    if program is None:
        raise missing("prlimit is not installed")
    limit = procfs.descriptor_count(pid) + more
    subprocess.run([program, "--pid", str(pid), f"--nofile={limit}:"], check=True)
    try:
        yield
    finally:
        subprocess.run([program, "--pid", str(pid), "--nofile=1024:"], check=True)


@pytest.mark.parametrize("more", [0, 1, 2, 3])
def test_class_24_without_descriptors_it_refuses_and_then_goes_on(tmp_path: Path, more: int) -> None:
    with fastdicom_node(tmp_path / "node") as node:
        stored = Stored(Target(node, tmp_path, node.archive))
        assert stored.send() == 0
        before = procfs.descriptor_count(node.pid)
        with RawAssociation.to(node.port, ["1.2.840.10008.1.1"]) as old, few_descriptors(node.pid, more):
            waiting = []
            for _ in range(4):  # these wait in the listening socket, or get the last descriptors
                waiting.append(_connected(node.port))
            assert old.echo() == 0, "who is in already must not suffer"
            for sock in waiting:
                sock.close()
            old.release()
        wait_for(lambda: stored.send() == 0, lambda: f"it does not recover: {node.log[-2000:]}", 15)
        wait_for(
            lambda: procfs.descriptor_count(node.pid) <= before,
            lambda: f"{procfs.descriptor_count(node.pid) - before} descriptors leaked",
        )
        assert node.alive and "Traceback" not in node.log
        node.stop()
    stored.check(node.archive)


def _connected(port: int):  # type: ignore[no-untyped-def]
    import socket

    sock = socket.create_connection(("127.0.0.1", port), timeout=5)
    sock.sendall(b"\x01\x00")
    return sock


def test_class_24_stores_without_descriptors_are_a700(tmp_path: Path) -> None:
    """An association is in, and there is none left for its file: what was acknowledged before stays good."""
    with fastdicom_node(tmp_path / "node") as node, Target(node, tmp_path, node.archive).associate() as one:
        uids = fresh_uids()
        data = instance(uids, CT_IMAGE_STORAGE, [explicit(PIXEL_DATA, "OW", bytes(1000))])
        with few_descriptors(node.pid, 0):
            assert one.store(CT_IMAGE_STORAGE, uids[2], data).status == OUT_OF_RESOURCES
        assert one.store(CT_IMAGE_STORAGE, uids[2], data).status == 0
        one.release()


@pytest.fixture(scope="module")
def wallclock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that makes the wall clock wrong."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise missing("no C compiler for the clock library")
    library = tmp_path_factory.mktemp("clock") / "wallclock.so"
    source = Path(__file__).parents[1] / "support" / "wallclock.c"
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return library


def test_class_24_a_clock_that_jumps_ends_no_association_and_deletes_nothing(
    tmp_path: Path, wallclock: Path
) -> None:
    offset = tmp_path / "offset"
    offset.write_text("0")
    changes = {"retention": {"max_age": "30 d"}, "timeouts": {"idle": "30 s"}}
    env = {"LD_PRELOAD": str(wallclock), "WALLCLOCK": str(offset)}
    with fastdicom_node(tmp_path / "node", changes, env=env) as node:
        stored = Stored(Target(node, tmp_path, node.archive))
        with stored.target.associate() as association:
            for years in (0, 12, -40, 3, 0):
                offset.write_text(str(years * 365 * 86400))
                assert stored.send() == 0
                assert association.echo() == 0
            association.release()
        offset.write_text(str(12 * 365 * 86400))
        time.sleep(6)  # retention looks every 5 s
        assert stored.send() == 0
        assert "the clock leapt ahead" in node.log
        assert "deleted study" not in node.log
        for uid in stored.acknowledged:
            assert stored.target.studies_found(uid.removesuffix(".1.1")) == 1
        node.stop()
    stored.check(node.archive)
