"""A small file and its row on their way to the disk at once: what may fail, and a power cut. Promise 1."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastdicom.archive.unproven import MARK_EVERY, UNPROVEN, Unproven
from fastdicom.config import Config
from fastdicom.dataset.part10 import SEAL_LENGTH, encode_file_meta, encode_seal
from fastdicom.dataset.record import Added, FileEntry, Kept, Outcome, Put
from fastdicom.errors import Unavailable
from fastdicom.keeper import ArchiveKeeper, open_keeper
from tests.support.datasets import Template, numbered_uids
from tests.support.failing_disk import FailingDisk
from tests.support.part10 import join
from tests.support.rawdicom import CT_IMAGE_STORAGE, EXPLICIT_LE

TEMPLATE = Template.make(CT_IMAGE_STORAGE, EXPLICIT_LE, 256)


class GatedDisk(FailingDisk):
    """A flush of a file waits until the test lets it."""

    def __init__(self) -> None:
        super().__init__()
        self.flushing = threading.Event()
        self.let = threading.Event()
        self.let.set()

    def sync_data(self, fd: int) -> None:
        self.flushing.set()
        assert self.let.wait(10)
        super().sync_data(fd)


@pytest.fixture
def disk() -> GatedDisk:
    return GatedDisk()


@pytest.fixture
def keeper(tmp_path: Path, disk: GatedDisk) -> Iterator[ArchiveKeeper]:
    config = Config(port=0, archive={"path": tmp_path / "archive", "min_free": 0})
    with open_keeper(tmp_path / "archive", config, disk=disk) as opened:
        yield opened


def source(tmp_path: Path, number: int) -> Path:
    uids = numbered_uids(1, number)
    path = tmp_path / f"{number}.dcm"
    path.write_bytes(join(TEMPLATE.stamped(uids), EXPLICIT_LE, CT_IMAGE_STORAGE, uids.instance))
    return path


class Taking(threading.Thread):
    """Stores one file on a thread of its own."""

    def __init__(self, keeper: ArchiveKeeper, path: Path) -> None:
        super().__init__(daemon=True)
        self.keeper, self.path = keeper, path
        self.outcome: Outcome | Unavailable | None = None
        self.start()

    def run(self) -> None:
        try:
            self.outcome = self.keeper.take(self.path)
        except Unavailable as error:
            self.outcome = error


def test_the_row_does_not_wait_for_the_file(keeper: ArchiveKeeper, disk: GatedDisk, tmp_path: Path) -> None:
    disk.let.clear()
    taking = Taking(keeper, source(tmp_path, 1))
    assert disk.flushing.wait(10)
    while keeper.counts().instances == 0:
        taking.join(0.001)
    assert taking.outcome is None, "acknowledged before the file was durable"
    disk.let.set()
    taking.join(10)
    assert isinstance(taking.outcome, Added)


def test_a_duplicate_waits_for_the_first_to_be_durable(
    keeper: ArchiveKeeper, disk: GatedDisk, tmp_path: Path
) -> None:
    disk.let.clear()
    first = Taking(keeper, source(tmp_path, 1))
    while keeper.counts().instances == 0:
        first.join(0.001)
    second = Taking(keeper, source(tmp_path, 1))
    second.join(0.05)
    assert second.outcome is None
    disk.let.set()
    first.join(10)
    second.join(10)
    assert isinstance(first.outcome, Added) and isinstance(second.outcome, Kept)


def test_a_file_that_cannot_be_flushed_takes_its_row_along(
    keeper: ArchiveKeeper, disk: GatedDisk, tmp_path: Path
) -> None:
    disk.fail("sync_data")
    with pytest.raises(Unavailable):
        keeper.take(source(tmp_path, 1))
    assert keeper.counts().instances == 0 and list(keeper.index.paths()) == []
    assert isinstance(keeper.take(source(tmp_path, 1)), Added)


def test_neither_the_file_nor_its_row_can_go(
    keeper: ArchiveKeeper, disk: GatedDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The index fails between: a duplicate must not be told that the first is safe, a start looks again."""
    apply = keeper.index.apply
    calls = 0

    def fail_second(*arguments: object, **named: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise Unavailable("the index cannot be written")
        return apply(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(keeper.index, "apply", fail_second)
    disk.fail("sync_data")
    for _ in range(2):
        with pytest.raises(Unavailable):
            keeper.take(source(tmp_path, 1))
    keeper.files.close()
    assert keeper.files.layout.take_finished() == []


@pytest.mark.parametrize("damage", [b"", b"cut", "blank"])
def test_after_a_power_cut_the_row_of_a_file_that_is_not_whole_goes(
    keeper: ArchiveKeeper, tmp_path: Path, damage: bytes | str
) -> None:
    for number in range(3):
        keeper.take(source(tmp_path, number))
    entries = sorted(keeper.index.entries(), key=lambda entry: entry.file.path)
    path = keeper.path_of(entries[2])
    content = path.read_bytes()
    changed = {b"": b"", b"cut": content[:-5], "blank": content[:500] + bytes(len(content) - 500)}
    path.write_bytes(changed[damage])
    keeper.files.layout._block.clean = False  # or the end would seal it
    keeper.files.close()
    keeper.recover()
    assert [entry.file.path for entry in keeper.index.entries()] == [one.file.path for one in entries[:2]]
    assert not path.exists()


def test_files_before_the_mark_are_not_read_again(keeper: ArchiveKeeper, tmp_path: Path) -> None:
    for number in range(MARK_EVERY + 3):
        keeper.take(source(tmp_path, number))
    assert keeper.index.notes(UNPROVEN) == {UNPROVEN + "00000001": f"{MARK_EVERY + 1:04x}.dcm".encode()}
    first = min(entry.file.path for entry in keeper.index.entries())
    keeper.files.path_of(first).write_bytes(b"damaged later, which is for verify to find")
    keeper.files.layout._block.clean = False
    keeper.files.close()
    keeper.recover()
    assert keeper.counts().instances == MARK_EVERY + 3
    assert keeper.index.notes(UNPROVEN) == {}


def test_a_replacement_is_durable_before_the_first_goes(tmp_path: Path, disk: GatedDisk) -> None:
    settings = {"path": tmp_path / "archive", "min_free": 0, "duplicates": "replace"}
    config = Config(port=0, archive=settings)
    with open_keeper(tmp_path / "archive", config, disk=disk) as keeper:
        keeper.take(source(tmp_path, 1))
        (before,) = keeper.index.entries()
        disk.let.clear()
        disk.flushing.clear()
        taking = Taking(keeper, source(tmp_path, 1))
        assert disk.flushing.wait(10)
        taking.join(0.02)
        assert list(keeper.index.entries()) == [before]
        disk.let.set()
        taking.join(10)


def test_a_long_file_goes_first(keeper: ArchiveKeeper, disk: GatedDisk) -> None:
    data = TEMPLATE.stamped(numbered_uids(1, 9))
    meta = encode_file_meta(CT_IMAGE_STORAGE, numbered_uids(1, 9).instance, EXPLICIT_LE, sealable=True)
    file = keeper.incoming()
    file.append([meta[:-SEAL_LENGTH], encode_seal(len(data), 1), data])
    file.size = 5 << 20  # as far as the keeper can tell
    record = _record(keeper, data)
    disk.fail("sync_data")
    entry = FileEntry(file.path, file.size, len(meta), 1, EXPLICIT_LE, 0.0, "")
    with pytest.raises(Unavailable):
        keeper.commit(file, Put(record, entry))
    assert keeper.committer.commits == 0


def _record(keeper: ArchiveKeeper, data: bytes):  # type: ignore[no-untyped-def]
    from fastdicom.dataset.stream import DatasetScan

    scan = DatasetScan(EXPLICIT_LE, keeper.scan_policy)
    scan.feed(data)
    return scan.finish(None, None)


def test_marks_move_in_steps_and_begin_anew_with_the_index() -> None:
    unproven = Unproven()
    unproven.add("0000000a/0005.dcm")
    unproven.add("0000000a/0007.dcm")
    mark = {UNPROVEN + "0000000a": b"0005.dcm"}
    assert unproven.new_marks() == mark
    assert unproven.new_marks() == {}
    unproven.forget_marks()
    assert unproven.new_marks() == mark
    unproven.settle("0000000a/0005.dcm")
    assert unproven.new_marks() == {}
    unproven.settle("0000000a/0007.dcm")
    unproven.add(f"0000000a/{5 + MARK_EVERY:04x}.dcm")
    assert unproven.new_marks() == {UNPROVEN + "0000000a": f"{5 + MARK_EVERY:04x}.dcm".encode()}
