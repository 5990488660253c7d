"""Damage on the disk: found by reading, marked, not sent, healed by the sender; never hidden."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fastdicom import Archive, Config
from fastdicom.config import VerifyConfig
from fastdicom.dataset.record import Replaced, StoredEntry
from fastdicom.errors import Refused
from fastdicom.keeper import ArchiveKeeper, open_keeper
from fastdicom.scrub import Scrub, Stopped
from tests.support.archives import DAY, Filler
from tests.support.datasets import Uids
from tests.support.failing_disk import FailingDisk

UIDS = Uids("P", "1.1", "1.1.1", "1.1.1.2")


@pytest.fixture
def disk() -> FailingDisk:
    return FailingDisk()


@pytest.fixture
def keeper(tmp_path: Path, disk: FailingDisk) -> Iterator[ArchiveKeeper]:
    config = Config(archive={"durability": "os", "path": tmp_path})
    with open_keeper(tmp_path / "archive", config, disk=disk) as made:
        Filler(made).study("1.1", instances=3)
        yield made


def entry_of(keeper: ArchiveKeeper, uid: str = UIDS.instance) -> StoredEntry:
    entry = keeper.index.get(uid)
    assert entry is not None
    return entry


def flip(keeper: ArchiveKeeper) -> None:
    """Another byte in the pixels of UIDS."""
    path = keeper.path_of(entry_of(keeper))
    data = bytearray(path.read_bytes())
    data[-5] ^= 0x10
    path.write_bytes(data)


def cut(keeper: ArchiveKeeper) -> None:
    path = keeper.path_of(entry_of(keeper))
    os.truncate(path, path.stat().st_size - 8)


def lose(keeper: ArchiveKeeper) -> None:
    keeper.path_of(entry_of(keeper)).unlink()


def one_round(keeper: ArchiveKeeper, rests: list[float] | None = None) -> Scrub:
    def rest(seconds: float) -> bool:
        if rests is not None:
            rests.append(seconds)
        return False

    scrub = Scrub(keeper, VerifyConfig(), rest)
    while scrub.step() == 0:
        pass
    return scrub


@pytest.mark.parametrize("damage", [flip, cut, lose])
def test_damage_is_found_told_and_marked(
    keeper: ArchiveKeeper, damage: Callable[[ArchiveKeeper], None], caplog: pytest.LogCaptureFixture
) -> None:
    damage(keeper)
    told: list[str] = []
    keeper.tell_damaged = lambda entry, reason: told.append(entry.sop_instance_uid)
    scrub = one_round(keeper)
    assert scrub.checked == 3
    assert told == [UIDS.instance]
    assert [entry.sop_instance_uid for entry in keeper.index.damaged()] == [UIDS.instance]
    assert any(r.levelname == "ERROR" and UIDS.instance in r.getMessage() for r in caplog.records)
    Scrub(keeper, VerifyConfig(interval_s=0.001), lambda seconds: False).step()
    assert told == [UIDS.instance]  # once


@pytest.mark.parametrize("damage", [flip, cut, lose])
def test_a_file_that_is_damaged_is_not_sent_though_nobody_knew(
    keeper: ArchiveKeeper, damage: Callable[[ArchiveKeeper], None]
) -> None:
    damage(keeper)
    with pytest.raises(Refused, match="damaged, send it again"):
        keeper.read(entry_of(keeper))
    assert entry_of(keeper).damage
    with pytest.raises(Refused, match="damaged, send it again"):
        keeper.read(entry_of(keeper))


def test_a_read_error_of_the_disk_is_damage_and_passes_when_it_does(
    keeper: ArchiveKeeper, disk: FailingDisk
) -> None:
    disk.fail("read", times=100)
    with pytest.raises(Refused, match="cannot be read"):
        keeper.read(entry_of(keeper))
    disk.fail("read", times=0)
    assert keeper.index.damaged_count() == 1
    one_round(keeper)
    assert keeper.index.damaged_count() == 0
    assert bytes(keeper.read(entry_of(keeper)))


def test_no_descriptors_left_says_nothing_about_a_file(
    keeper: ArchiveKeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(path: Path) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(keeper.files.disk, "open", exhausted)
    with pytest.raises(OSError, match="Too many"):
        keeper.read(entry_of(keeper))
    one_round(keeper)
    assert keeper.index.damaged_count() == 0


def test_the_sender_heals_it_by_sending_it_again(keeper: ArchiveKeeper) -> None:
    flip(keeper)
    one_round(keeper)
    assert keeper.config.archive.duplicates == "keep"
    bad = keeper.path_of(entry_of(keeper))
    assert isinstance(Filler(keeper).instance(UIDS), Replaced)
    assert keeper.index.damaged_count() == 0
    assert not bad.exists()
    assert bytes(keeper.read(entry_of(keeper)))[-256:]
    with Archive(keeper.path) as archive:
        assert archive.verify().ok


def test_verify_marks_and_reports(keeper: ArchiveKeeper) -> None:
    flip(keeper)
    with Archive(keeper.path) as archive:
        report = archive.verify()
        assert [Path(path) for path, _ in report.damaged] == [keeper.path_of(entry_of(keeper))]
        assert entry_of(keeper).damage.startswith("its Data Set")
        assert not archive.export(keeper.path.parent / "out", StudyInstanceUID="1.1").ok
        assert len(archive.verify().damaged) == 1


def test_a_round_goes_on_where_the_last_process_ended(keeper: ArchiveKeeper) -> None:
    first = Scrub(keeper, VerifyConfig(), lambda seconds: False)
    first.step()
    first.keep_place()
    second = one_round(keeper)
    assert second.checked == 2
    assert keeper.index.notes("verify/position") == {}


def test_the_next_round_waits_for_the_interval(keeper: ArchiveKeeper) -> None:
    now = 1.8e9
    scrub = Scrub(keeper, VerifyConfig(interval_s=7 * DAY), lambda seconds: False, clock=lambda: now)
    while scrub.step() == 0:
        pass
    assert scrub.checked == 3
    assert scrub.step() > 0
    now += 8 * DAY
    while scrub.step() == 0:
        pass
    assert scrub.checked == 6
    off = Scrub(keeper, VerifyConfig(interval_s=0), lambda seconds: False, clock=lambda: now + 99 * DAY)
    assert off.step() > 0
    assert off.checked == 0


def test_it_reads_no_faster_than_the_rate(keeper: ArchiveKeeper) -> None:
    rests: list[float] = []
    scrub = one_round(keeper, rests)
    small = 128 * 1024  # a file that is shorter counts as one of this length
    assert sum(rests) == pytest.approx(scrub.checked * small / VerifyConfig().rate)
    assert scrub.bytes == keeper.counts().bytes < small


def test_an_archive_that_is_new_is_first_read_after_an_interval(tmp_path: Path) -> None:
    now = 1.8e9
    config = Config(archive={"durability": "os", "path": tmp_path / "new"})
    with open_keeper(tmp_path / "new", config) as keeper:
        first = Scrub(keeper, VerifyConfig(interval_s=7 * DAY), lambda seconds: False, clock=lambda: now)
        assert not keeper.index.notes("verify/"), "a start writes nothing: the disk may be full"
        assert first.step() > 0
        Filler(keeper).study("1.1", instances=1)
        again = Scrub(keeper, VerifyConfig(interval_s=7 * DAY), lambda seconds: False, clock=lambda: now)
        assert again.step() > 0
        now += 7 * DAY
        assert again.step() == 0
        assert again.checked == 1


def test_it_stops_inside_a_file(keeper: ArchiveKeeper) -> None:
    with pytest.raises(Stopped):
        Scrub(keeper, VerifyConfig(), lambda seconds: True).step()


def test_a_file_that_is_deleted_meanwhile_is_no_damage(keeper: ArchiveKeeper) -> None:
    entry = entry_of(keeper)
    with Archive(keeper.path) as archive:
        archive.delete(SOPInstanceUID=UIDS.instance)
    assert not keeper.found(entry, "is missing")
    assert keeper.index.damaged_count() == 0


def test_a_rebuild_does_not_take_damage_for_the_truth(tmp_path: Path) -> None:
    path = tmp_path / "other"
    with open_keeper(path, Config(archive=path)) as keeper:
        Filler(keeper).study("1.1", instances=3)
        flip(keeper)
    with Archive(path) as archive:
        report = archive.rebuild()
        assert (report.indexed, len(report.damaged)) == (3, 1)
        assert not report.ok
        assert len(archive.verify().damaged) == 1
