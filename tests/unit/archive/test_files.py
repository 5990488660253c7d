"""Files that come in: where they lie, what a refused write leaves, what start-up makes of leftovers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from fastdicom.archive.disk import Disk
from fastdicom.archive.files import Files
from fastdicom.archive.layout import BLOCK_FILES_MAX, Block, block_names
from fastdicom.archive.recovery import Verdict, recover
from fastdicom.errors import Unavailable
from tests.support.failing_disk import FailingDisk


def names(root: Path) -> list[str]:
    return sorted(f"{block}/{name}" for block in block_names(root) for name in os.listdir(root / block))


def test_a_file_has_its_name_from_the_start(tmp_path: Path) -> None:
    files = Files(tmp_path, Disk())
    file = files.incoming()
    file.append([b"xxe", memoryview(b"two")])
    assert names(tmp_path) == ["00000001/0001.dcm"]
    file.overwrite(b"on", 0)
    file.seal(sync=True)
    file.finish()
    assert names(tmp_path) == ["00000001/0001.dcm"] == [file.path]
    assert bytes(files.read(file.path)) == b"onetwo"
    assert file.size == 6


def test_short_writes_are_completed(tmp_path: Path) -> None:
    disk = FailingDisk()
    disk.short_writes = True
    files = Files(tmp_path, disk)
    file = files.incoming()
    pieces = [b"", b"a" * 1000, b"", b"b" * 7, b"c"]
    file.append(pieces)
    file.seal(sync=False)
    assert bytes(files.read(file.path)) == b"".join(pieces)


def test_more_pieces_than_one_call_takes(tmp_path: Path) -> None:
    files = Files(tmp_path, Disk())
    file = files.incoming()
    file.append([bytes([at % 256]) for at in range(5000)])
    file.seal(sync=False)
    assert bytes(files.read(file.path)) == bytes(at % 256 for at in range(5000))


def test_a_discarded_file_leaves_nothing(tmp_path: Path) -> None:
    files = Files(tmp_path, Disk())
    files.incoming().discard()
    sealed = files.incoming()
    sealed.seal(sync=True)
    sealed.discard()
    assert names(tmp_path) == []


def test_files_made_ahead_are_gone_after_the_end(tmp_path: Path) -> None:
    files = Files(tmp_path, Disk())
    for _ in range(70):
        files.incoming().finish()
    assert len(names(tmp_path)) == 96  # 1 1 2 4 8 16 32 32
    files.close()
    assert len(names(tmp_path)) == 70
    assert files.layout.take_finished() == ["00000001"]


def test_nothing_is_made_ahead_where_names_need_not_survive(tmp_path: Path) -> None:
    files = Files(tmp_path, disk := FailingDisk(), sync=False)
    for _ in range(10):
        files.incoming().finish()
    assert len(names(tmp_path)) == 10
    assert disk.calls.count("sync_folder") == 1  # of the block itself


@pytest.mark.parametrize("step", ["create", "sync_folder"])
def test_making_files_ahead_fails_as_a_whole(tmp_path: Path, step: str) -> None:
    disk = FailingDisk()
    files = Files(tmp_path, disk)
    for _ in range(4):
        files.incoming().finish()
    disk.fail(step)
    with pytest.raises(Unavailable):
        files.incoming()
    assert len(names(tmp_path)) == 4
    files.incoming().finish()


@pytest.mark.parametrize("step", ["create", "sync_folder"])
def test_no_file_can_be_made(tmp_path: Path, step: str) -> None:
    disk = FailingDisk()
    files = Files(tmp_path, disk)
    disk.fail(step)
    with pytest.raises(Unavailable):
        files.incoming()
    files.incoming().discard()
    assert names(tmp_path) == []


def test_below_min_free_nothing_is_taken(tmp_path: Path) -> None:
    disk = FailingDisk()
    files = Files(tmp_path, disk, min_free=1000)
    disk.free = 999
    with pytest.raises(Unavailable, match="999 bytes are free, 1250 must be"):
        files.incoming()


def test_the_log_says_when_there_is_no_room_and_when_there_is_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    disk = FailingDisk()
    space = Files(tmp_path, disk, min_free=1000).space
    for free in (2000, 999, 900, 1249, 1250, 2000):
        disk.free = free
        space.look()
    said = [(record.levelname, record.message.partition(": ")[2]) for record in caplog.records]
    assert said == [
        ("ERROR", "999 bytes are free, min_free is 1000: C-STORE is refused until 1250 are free"),
        ("WARNING", "1250 bytes are free again: C-STORE goes on"),
    ]


def test_a_full_block_is_followed_by_another(tmp_path: Path) -> None:
    files = Files(tmp_path, Disk())
    last = first = files.incoming()
    for _ in range(BLOCK_FILES_MAX):
        if last is not first:
            last.discard()
        last = files.incoming()
    assert last.block.name == "00000002"
    assert files.layout.take_finished() == []
    first.discard()
    assert files.layout.take_finished() == ["00000001"]


def test_two_processes_never_share_a_block(tmp_path: Path) -> None:
    one, two = Files(tmp_path, Disk()), Files(tmp_path, Disk())
    assert one.incoming().block.name != two.incoming().block.name


def leftovers(root: Path) -> None:
    (root / "00000001").mkdir()
    for name in ("0001.dcm", "0002.dcm", "0003.dcm", "0004.part"):
        (root / "00000001" / name).write_bytes(b"x")


def test_recovery_adopts_whole_files_and_sweeps_the_rest(tmp_path: Path) -> None:
    leftovers(tmp_path)
    asked = []

    def adopt(paths: Sequence[str]) -> dict[str, Verdict]:
        asked.append(list(paths))
        return {path: Verdict.ADOPTED if path.endswith("0002.dcm") else Verdict.SUPERFLUOUS for path in paths}

    found = recover(
        tmp_path,
        Disk(),
        is_sealed=lambda name: False,
        indexed_paths=lambda prefix: [prefix + "0001.dcm"],
        adopt=adopt,
    )
    assert asked == [["00000001/0002.dcm", "00000001/0003.dcm"]]
    assert (found.adopted, found.swept, found.sealed) == (1, 2, ("00000001",))
    assert names(tmp_path) == ["00000001/0001.dcm", "00000001/0002.dcm"]


def test_recovery_removes_empty_files_without_asking(tmp_path: Path) -> None:
    files = Files(tmp_path, Disk())
    files.incoming().finish()
    files.layout._block.release()  # the process is gone
    found = recover(
        tmp_path,
        Disk(),
        is_sealed=lambda name: False,
        indexed_paths=lambda prefix: [],
        adopt=lambda path: Verdict.UNREADABLE,
    )
    assert (found.swept, found.unreadable, names(tmp_path)) == (0, 0, [])


def test_recovery_leaves_sealed_blocks_and_those_of_the_living_alone(tmp_path: Path) -> None:
    leftovers(tmp_path)
    before = names(tmp_path)
    nothing = recover(
        tmp_path,
        Disk(),
        is_sealed=lambda name: True,
        indexed_paths=lambda prefix: [],
        adopt=lambda paths: dict.fromkeys(paths, Verdict.SUPERFLUOUS),
    )
    living = Block(tmp_path, "00000001")
    assert living.try_lock()
    nothing_either = recover(
        tmp_path,
        Disk(),
        is_sealed=lambda name: False,
        indexed_paths=lambda prefix: [],
        adopt=lambda paths: dict.fromkeys(paths, Verdict.SUPERFLUOUS),
    )
    assert names(tmp_path) == before
    assert nothing.sealed == nothing_either.sealed == ()
    living.release()


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "00000001").mkdir()
    (tmp_path / "00000001" / "README").write_text("not ours")
    (tmp_path / "lost+found").mkdir()
    recover(
        tmp_path,
        Disk(),
        is_sealed=lambda name: False,
        indexed_paths=lambda prefix: [],
        adopt=lambda paths: dict.fromkeys(paths, Verdict.SUPERFLUOUS),
    )
    assert names(tmp_path) == ["00000001/README"]


def test_a_whole_file_that_cannot_be_judged_is_left_alone(tmp_path: Path) -> None:
    leftovers(tmp_path)
    found = recover(
        tmp_path,
        Disk(),
        is_sealed=lambda name: False,
        indexed_paths=lambda prefix: [],
        adopt=lambda paths: dict.fromkeys(paths, Verdict.UNREADABLE),
    )
    assert (found.unreadable, found.swept) == (3, 1)
    assert names(tmp_path) == ["00000001/0001.dcm", "00000001/0002.dcm", "00000001/0003.dcm"]


def test_the_disk_is_mistrusted_after_a_failed_sync_until_a_fresh_file_is_synced(tmp_path: Path) -> None:
    disk = FailingDisk()
    files = Files(tmp_path, disk)
    file = files.incoming()
    file.append([b"x"])
    disk.fail("sync_data", times=3)
    with pytest.raises(OSError, match="sync_data"):
        file.seal(sync=True)
    for _ in range(2):
        with pytest.raises(Unavailable, match="the disk fails"):
            files.incoming()
    assert files.health.fault
    files.incoming().discard()
    assert not files.health.fault
    assert [path.name for path in tmp_path.iterdir()] == ["00000001"]


def test_room_is_there_again_only_with_a_margin(tmp_path: Path) -> None:
    disk = FailingDisk()
    files = Files(tmp_path, disk, min_free=1000)
    disk.free = 999
    with pytest.raises(Unavailable):
        files.incoming()
    for disk.free in (1000, 1249):
        with pytest.raises(Unavailable):
            files.incoming()
    disk.free = 1250
    files.incoming().discard()
    assert not files.space.low


def test_what_is_under_way_counts_as_large_as_the_last_ones_were(tmp_path: Path) -> None:
    disk = FailingDisk()
    files = Files(tmp_path, disk, min_free=1000)
    first = files.incoming()
    first.append([bytes(600)])
    first.seal(sync=False)
    under_way = files.incoming()
    under_way.append([bytes(100)])
    assert files.space.expected == 500
    files.space.low = True  # so that the disk is asked at once
    disk.free = 1250 + 499
    with pytest.raises(Unavailable):
        files.incoming()
    disk.free = 1250 + 500
    files.incoming().discard()
    under_way.discard()
    first.discard()
    assert files.space.expected == 0


def test_an_object_that_grows_and_grows_is_stopped_before_the_disk_is_full(tmp_path: Path) -> None:
    disk = FailingDisk()
    files = Files(tmp_path, disk, min_free=1 << 20)
    file = files.incoming()
    disk.free = (1 << 19) - 1
    piece = bytes(1 << 20)
    with pytest.raises(OSError, match="nearly full"):
        for _ in range(17):
            file.append([piece])
    assert file.size == 16 << 20
    file.discard()


@pytest.mark.parametrize("size", [100, 3 << 20])
def test_a_read_error_is_an_error_and_no_signal(tmp_path: Path, size: int) -> None:
    disk = FailingDisk()
    files = Files(tmp_path, disk)
    file = files.incoming()
    file.append([bytes(size)])
    file.seal(sync=False)
    file.finish()
    disk.fail("read")
    with pytest.raises(OSError, match="read made to fail"):
        files.read(file.path)
    visited: list[tuple[int, int]] = []
    assert bytes(files.read(file.path, lambda at, piece: visited.append((at, len(piece))))) == bytes(size)
    assert sum(length for _, length in visited) == size
    assert files.visit(file.path, lambda at, piece: None) == size


@pytest.mark.parametrize("size", [0, 99, 100, 101, 4 << 20])
def test_a_wrong_idea_of_its_size_changes_nothing_about_what_is_read(tmp_path: Path, size: int) -> None:
    files = Files(tmp_path, Disk())
    file = files.incoming()
    file.append([bytes(range(100))])
    file.seal(sync=False)
    file.finish()
    visited: list[bytes] = []
    data = files.read(file.path, lambda at, piece: visited.append(piece), size)
    assert bytes(data) == b"".join(visited) == bytes(range(100))


def test_a_file_that_cannot_be_removed_stays_owed(tmp_path: Path) -> None:
    disk = FailingDisk()
    files = Files(tmp_path, disk)
    file = files.incoming()
    file.seal(sync=False)
    file.finish()
    disk.fail("remove")
    assert files.unlink([file.path]) == []
    assert files.unlink([file.path, "00000001/9999.dcm"]) == [file.path, "00000001/9999.dcm"]
