"""Two nodes never serve one archive; one that is about to stop is waited for."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pydicom.data
import pytest

from fastdicom import Archive, Config, Engine, UsageError, connect, node_lock
from fastdicom.node_lock import NodeLock
from tests.support.cli import fastdicom
from tests.support.node import fastdicom_node


@pytest.fixture(autouse=True)
def no_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_lock, "GRACE_S", 0.0)


def test_a_second_engine_on_an_archive_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    config = Config(port=0, archive=tmp_path / "archive")
    with Engine(config) as first:
        second = Engine(config)
        with pytest.raises(UsageError, match=rf"archive: process {os.getpid()} serves this archive already"):
            second.start()
        with Archive(config.archive.path) as beside, connect(*first.addresses[0]) as peer:
            assert beside.counts().instances == 0
            assert peer.echo() >= 0
    with second:
        assert second.addresses


def test_a_start_that_fails_leaves_the_archive_to_others(tmp_path: Path) -> None:
    with Engine(Config(port=0, archive=tmp_path / "one")) as other:
        engine = Engine(Config(port=other.addresses[0][1], archive=tmp_path / "two"))
        with pytest.raises(UsageError, match="listen"):
            engine.start()
    with Engine(Config(port=0, archive=tmp_path / "two")):
        pass


def test_a_node_that_stops_is_waited_for(tmp_path: Path) -> None:
    held = NodeLock.take(tmp_path, 0)
    waits = threading.Event()
    taken: list[NodeLock] = []
    with held.ending():
        waiter = threading.Thread(target=lambda: taken.append(NodeLock.take(tmp_path, 60, waits.set)))
        waiter.start()
        assert waits.wait(30) and not taken
    waiter.join(30)
    assert [lock.release() for lock in taken] == [None]


def test_a_node_that_does_not_come_to_its_end_is_not_waited_for_without_end(tmp_path: Path) -> None:
    held = NodeLock.take(tmp_path, 0)
    looks: list[None] = []
    with held.ending(), pytest.raises(UsageError, match="serves this archive already"):
        NodeLock.take(tmp_path, 0.3, lambda: looks.append(None))
    assert looks


def test_the_wait_ends_when_the_end_is_asked_for(tmp_path: Path) -> None:
    class Asked(Exception):
        pass

    def ask() -> None:
        raise Asked

    held = NodeLock.take(tmp_path, 0)
    with held.ending(), pytest.raises(Asked):
        NodeLock.take(tmp_path, 60, ask)
    NodeLock.take(tmp_path, 0).release()  # the one that gave up holds nothing


@pytest.mark.crash
def test_as_a_service_is_used(tmp_path: Path) -> None:
    """A second `serve` ends with 2; what works beside a node does; a killed node leaves no lock behind."""
    with fastdicom_node(tmp_path / "node") as node:
        said = fastdicom("serve", "--port", "0", "--archive", node.archive, expect=2)
        assert said.startswith(f"fastdicom serve: {node.archive}: process {node.pid} serves this archive")
        source = Path(pydicom.data.get_testdata_file("CT_small.dcm", download=False))
        fastdicom("import", source, "--archive", node.archive)
        fastdicom("find", "--archive", node.archive)
        fastdicom("export", tmp_path / "out", "--archive", node.archive)
        fastdicom("verify", "--archive", node.archive)
        assert fastdicom("echo", "127.0.0.1", node.port)
        node.kill()
    with fastdicom_node(tmp_path / "node") as node:
        assert fastdicom("echo", "127.0.0.1", node.port)


def test_a_disk_without_room_for_a_note_costs_the_note_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    held = NodeLock.take(tmp_path, 0)
    with pytest.raises(UsageError, match="another process serves this archive already"):
        NodeLock.take(tmp_path, 0)
    held.release()
    NodeLock.take(tmp_path, 0).release()


def test_a_process_forked_from_the_host_does_not_hold_the_archive(tmp_path: Path) -> None:
    held = NodeLock.take(tmp_path, 0)
    inherited = os.dup(held._fd)  # what a fork does to it
    held.release()
    NodeLock.take(tmp_path, 0).release()
    os.close(inherited)
