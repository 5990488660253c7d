"""A node on a disk whose calls fail one after the other: right answers, nothing acknowledged lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import fastdicom
from fastdicom import engine as engine_module
from fastdicom.errors import Unavailable
from fastdicom.keeper import open_keeper
from tests.crash.support import PROPOSALS, Sender, check_promise
from tests.support.failing_disk import FailingDisk
from tests.support.rawdicom import RawAssociation

STEPS = ["create", "sync_folder", "write", "sync_data"]
LOAD = 6


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> FailingDisk:
    """The disk under every engine of this test."""
    made = FailingDisk()
    monkeypatch.setattr(
        engine_module, "open_keeper", lambda path, config: open_keeper(path, config, disk=made)
    )
    return made


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return tmp_path / "archive"


@pytest.fixture
def engine(archive: Path, disk: FailingDisk) -> Iterator[fastdicom.Engine]:
    with fastdicom.Engine(fastdicom.Config(port=0, archive={"path": archive, "min_free": 0})) as running:
        yield running


def send_some(engine: fastdicom.Engine, sender: Sender, numbers: Sequence[int]) -> list[int]:
    with RawAssociation.to(engine.addresses[0][1], PROPOSALS) as association:
        statuses = [sender.send(association, number) for number in numbers]
        assert association.echo() == 0, "the association did not survive the failure"
        association.release()
    return statuses


@pytest.mark.parametrize("call", range(3))
@pytest.mark.parametrize("step", STEPS)
def test_each_call_of_each_step_may_fail(
    engine: fastdicom.Engine, archive: Path, disk: FailingDisk, step: str, call: int
) -> None:
    sender = Sender(run=1)
    assert send_some(engine, sender, range(call)) == [0] * call
    disk.fail(step)
    statuses = send_some(engine, sender, range(call, LOAD))
    assert statuses[0] == 0xA700
    assert statuses[2:] == [0] * (LOAD - call - 2), "the node did not go on"
    engine.stop()
    check_promise(archive, [sender], spare=False)


def test_writing_that_fails_half_way_leaves_nothing(
    engine: fastdicom.Engine, archive: Path, disk: FailingDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk.short_writes = True
    written = FailingDisk.write
    calls = 0

    def fail_late(self: FailingDisk, fd: int, pieces: Sequence[memoryview | bytes]) -> int:
        nonlocal calls
        calls += 1
        if calls == 4:
            self.fail("write")
        return written(self, fd, pieces)

    monkeypatch.setattr(FailingDisk, "write", fail_late)
    sender = Sender(run=2)
    assert send_some(engine, sender, range(3)) == [0xA700, 0, 0]
    engine.stop()
    check_promise(archive, [sender], spare=False)


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_index_commit_that_fails(
    engine: fastdicom.Engine, archive: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    apply: Callable[..., Any] = engine.archive.index.apply
    failing = True

    def apply_or_fail(*arguments: Any, **named: Any) -> Any:
        nonlocal failing
        if not failing:
            return apply(*arguments, **named)
        failing = False
        if when == "after":
            apply(*arguments, **named)
        raise Unavailable("the index could not be written")

    monkeypatch.setattr(engine.archive.index, "apply", apply_or_fail)
    sender = Sender(run=3)
    assert send_some(engine, sender, range(LOAD)) == [0] * LOAD
    assert not failing
    engine.stop()
    check_promise(archive, [sender], spare=False)


def test_a_disk_that_fails_for_long_and_recovers(
    engine: fastdicom.Engine, archive: Path, disk: FailingDisk
) -> None:
    sender = Sender(run=4)
    for step in STEPS:
        disk.fail(step, times=50)
        assert send_some(engine, sender, range(100, 140))[-5:] == [0xA700] * 5
        disk.fail(step, times=0)
        assert send_some(engine, sender, [STEPS.index(step)]) == [0]
    engine.stop()
    check_promise(archive, [sender], spare=False)


def test_a_full_disk_is_a700_before_the_data_set_and_recovers(
    engine: fastdicom.Engine, archive: Path, disk: FailingDisk
) -> None:
    sender = Sender(run=5)
    engine.archive.files.space.min_free = 1 << 30
    disk.free = 1 << 20
    assert send_some(engine, sender, [0, 1]) == [0xA700, 0xA700]
    assert "write" not in disk.calls
    disk.free = 1 << 40
    assert send_some(engine, sender, [0, 1]) == [0, 0]
    engine.stop()
    check_promise(archive, [sender], spare=False)


@pytest.mark.parametrize("step", ["unlink"])
def test_a_refused_file_that_cannot_be_removed_is_swept_at_the_next_start(
    engine: fastdicom.Engine, archive: Path, disk: FailingDisk, step: str
) -> None:
    sender = Sender(run=6)
    disk.fail("write")
    disk.fail(step)
    assert send_some(engine, sender, range(3)) == [0xA700, 0, 0]
    engine.stop()
    assert len(list((archive / "objects").rglob("*.dcm"))) == 3
    with fastdicom.Engine(fastdicom.Config(port=0, archive={"path": archive, "min_free": 0})):
        pass
    check_promise(archive, [sender], spare=False)
