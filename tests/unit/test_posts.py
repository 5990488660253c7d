"""Rows that follow their files: who waits for whom, what may fail, a crash and a power cut. Promise 1."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fastdicom.archive import posts as posting
from fastdicom.archive.posts import Posts
from fastdicom.config import Config
from fastdicom.dataset.record import Added, Change, Delete, Deleted, Kept, Outcome, Put, Replaced, StoredEntry
from fastdicom.errors import Unavailable
from fastdicom.importing import take_file
from fastdicom.keeper import ArchiveKeeper, open_keeper
from fastdicom.node_figures import archive_figures
from tests.support.datasets import Template, numbered_uids
from tests.support.failing_disk import FailingDisk
from tests.support.part10 import join
from tests.support.rawdicom import CT_IMAGE_STORAGE, EXPLICIT_LE

NO_FILE: Any = None
TEMPLATE = Template.make(CT_IMAGE_STORAGE, EXPLICIT_LE, 256)


class Gate:
    """Stands before the index: transactions wait, or fail, as the test says."""

    def __init__(self, keeper: ArchiveKeeper) -> None:
        self.apply = keeper._index.apply
        self.open = threading.Event()
        self.open.set()
        self.asked = threading.Event()
        self.failures = 0
        self.after = False  # a failure comes when the index has the changes
        self.poison = ""  # a SOP Instance UID that the index cannot take
        self.batches: list[int] = []

    def __call__(self, batch: Sequence[Change], notes: Any = None) -> list[Outcome]:
        self.asked.set()
        assert self.open.wait(10)
        if self.failures and not self.after:
            self._fail()
        if any(isinstance(one, Put) and one.record.sop_instance_uid == self.poison for one in batch):
            raise Unavailable("the index cannot take it")
        outcomes = self.apply(batch, notes)
        self.batches.append(len(batch))
        if self.failures:
            self._fail()
        return outcomes

    def _fail(self) -> None:
        self.failures -= 1
        raise Unavailable("the index cannot be written")


@pytest.fixture
def disk() -> FailingDisk:
    return FailingDisk()


@pytest.fixture
def keeper(tmp_path: Path, disk: FailingDisk) -> Iterator[ArchiveKeeper]:
    config = Config(port=0, archive={"path": tmp_path / "archive", "min_free": 0})
    with open_keeper(tmp_path / "archive", config, disk=disk) as opened:
        yield opened


@pytest.fixture
def gate(keeper: ArchiveKeeper, monkeypatch: pytest.MonkeyPatch) -> Gate:
    monkeypatch.setattr(posting, "_RETRY_S", 0.01)
    gate = Gate(keeper)
    monkeypatch.setattr(keeper._index, "apply", gate)
    return gate


def source(tmp_path: Path, number: int) -> Path:
    uids = numbered_uids(1, number)
    path = tmp_path / f"{number}.dcm"
    path.write_bytes(join(TEMPLATE.stamped(uids), EXPLICIT_LE, CT_IMAGE_STORAGE, uids.instance))
    return path


def store(keeper: ArchiveKeeper, tmp_path: Path, *numbers: int) -> list[Outcome]:
    return [take_file(keeper, source(tmp_path, number)) for number in numbers]


def entries(keeper: ArchiveKeeper) -> list[StoredEntry]:
    return sorted(keeper.index.entries(), key=lambda entry: entry.file.path)


def uid(number: int) -> str:
    return numbered_uids(1, number).instance


def until_none_waits(keeper: ArchiveKeeper) -> None:
    for _ in range(1000):
        if not keeper.posts.waiting:
            return
        threading.Event().wait(0.01)
    raise AssertionError(f"{keeper.posts.waiting} rows never came")


def test_nobody_waits_for_the_index(keeper: ArchiveKeeper, gate: Gate, tmp_path: Path) -> None:
    gate.open.clear()
    assert all(isinstance(outcome, Added) for outcome in store(keeper, tmp_path, *range(20)))
    assert keeper.posts.waiting == 20 and not gate.batches
    gate.open.set()
    assert keeper.counts().instances == 20
    assert sum(gate.batches) == 20 and len(gate.batches) <= 2, gate.batches
    assert [keeper.read(entry) for entry in entries(keeper)]


def test_whoever_asks_sees_what_was_acknowledged(keeper: ArchiveKeeper, tmp_path: Path) -> None:
    for number in range(50):
        store(keeper, tmp_path, number)
        assert keeper.counts().instances == number + 1


def test_rows_come_although_nobody_asks(keeper: ArchiveKeeper, tmp_path: Path) -> None:
    store(keeper, tmp_path, 1)
    until_none_waits(keeper)
    assert keeper._index.counts().instances == 1


def test_the_file_is_durable_before(keeper: ArchiveKeeper, disk: FailingDisk, tmp_path: Path) -> None:
    disk.fail("sync_data")
    with pytest.raises(Unavailable):
        store(keeper, tmp_path, 1)
    assert keeper.counts().instances == 0 and keeper.posts.waiting == 0
    assert isinstance(*store(keeper, tmp_path, 1), Added)


def test_a_duplicate_waits_for_the_first(keeper: ArchiveKeeper, gate: Gate, tmp_path: Path) -> None:
    gate.open.clear()
    store(keeper, tmp_path, 1)
    assert gate.asked.wait(10)
    outcomes: list[Outcome] = []
    again = threading.Thread(target=lambda: outcomes.extend(store(keeper, tmp_path, 1)), daemon=True)
    again.start()
    again.join(0.05)
    assert not outcomes
    gate.open.set()
    again.join(10)
    assert isinstance(*outcomes, Kept)
    assert [entry.file.path for entry in entries(keeper)] == ["00000001/0001.dcm"]
    assert [path.name for path in keeper.files.root.glob("*/*") if path.stat().st_size] == ["0001.dcm"]


def test_a_duplicate_of_what_has_its_row_is_kept(keeper: ArchiveKeeper, tmp_path: Path) -> None:
    store(keeper, tmp_path, 1)
    until_none_waits(keeper)
    assert isinstance(*store(keeper, tmp_path, 1), Kept)
    assert keeper.counts().instances == 1


def test_a_deletion_comes_behind(keeper: ArchiveKeeper, gate: Gate, tmp_path: Path) -> None:
    store(keeper, tmp_path, 1)
    deleted = keeper.commit(None, Delete(uid(1), ""))
    assert isinstance(deleted, Deleted) and deleted.old is not None
    assert keeper.counts().instances == 0 and not keeper.posts.waiting


def test_a_replacement_is_waited_for(tmp_path: Path) -> None:
    settings = {"path": tmp_path / "archive", "min_free": 0, "duplicates": "replace"}
    with open_keeper(tmp_path / "archive", Config(port=0, archive=settings)) as keeper:
        first, second = store(keeper, tmp_path, 1, 1)
        assert isinstance(first, Added) and isinstance(second, Replaced)
        assert keeper._index.counts().instances == 1


@pytest.mark.parametrize("after", [False, True])
def test_what_the_index_failed_to_take_is_tried_again(
    keeper: ArchiveKeeper, gate: Gate, tmp_path: Path, after: bool, caplog: pytest.LogCaptureFixture
) -> None:
    gate.open.clear()
    store(keeper, tmp_path, 1, 2, 3)
    gate.failures, gate.after = 3, after
    gate.open.set()
    until_none_waits(keeper)
    assert not gate.failures
    assert [entry.sop_instance_uid for entry in entries(keeper)] == [uid(1), uid(2), uid(3)]
    assert "stored instances wait for their rows" in caplog.text
    assert isinstance(*store(keeper, tmp_path, 4), Added)


def test_while_it_fails_others_are_refused(keeper: ArchiveKeeper, gate: Gate, tmp_path: Path) -> None:
    gate.failures = 1 << 30
    store(keeper, tmp_path, 1)
    while not keeper.committer.failing:
        threading.Event().wait(0.001)
    with pytest.raises(Unavailable):
        store(keeper, tmp_path, 2)
    assert keeper.counts().instances == 0, "a reader need not wait for a disk that fails"
    gate.failures = 0
    until_none_waits(keeper)
    assert isinstance(*store(keeper, tmp_path, 2), Added)
    assert keeper.counts().instances == 2


def test_what_the_index_cannot_take_holds_up_nobody(
    keeper: ArchiveKeeper, gate: Gate, tmp_path: Path
) -> None:
    gate.open.clear()
    gate.poison = uid(2)
    store(keeper, tmp_path, *range(5))
    gate.open.set()
    while keeper._index.counts().instances < 4:
        threading.Event().wait(0.001)
    store(keeper, tmp_path, 6)
    assert keeper._index.counts().instances == 5 and keeper.posts.waiting == 1
    gate.poison = ""
    until_none_waits(keeper)
    assert keeper.counts().instances == 6


def test_who_comes_when_too_many_wait_does_the_work(
    keeper: ArchiveKeeper, gate: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posting, "WAITING_MAX", 3)
    monkeypatch.setattr(posting, "_PAUSE_S", 60.0)
    store(keeper, tmp_path, 1)
    until_none_waits(keeper)  # and now its thread pauses
    store(keeper, tmp_path, 2, 3, 4)
    assert keeper.posts.waiting == 3
    store(keeper, tmp_path, 5)
    assert keeper.posts.waiting == 0 and keeper._index.counts().instances == 5
    assert gate.batches == [1, 3, 1]


@pytest.mark.parametrize("whole", [True, False])
def test_after_a_power_cut_a_start_makes_the_rows(
    keeper: ArchiveKeeper, gate: Gate, tmp_path: Path, whole: bool
) -> None:
    """What is on the disk at the moment of the last answer, with the index as it was before."""
    store(keeper, tmp_path, 0)
    keeper.counts()
    gate.open.clear()
    store(keeper, tmp_path, 1, 2, 3)
    cut = shutil.copytree(keeper.path, tmp_path / "cut")
    gate.open.set()
    if not whole:
        torn = cut / "objects" / "00000001" / "0004.dcm"
        torn.write_bytes(torn.read_bytes()[:-5])
    with open_keeper(cut, Config(port=0, archive={"path": cut, "min_free": 0})) as later:
        assert later.counts().instances == 1
        found = later.recover()
        assert (found.adopted, found.swept) == ((3, 0) if whole else (2, 1))
        for entry, before in zip(entries(later), entries(keeper), strict=False):
            assert abs(entry.file.received_at - before.file.received_at) < 5
            file = replace(entry.file, received_at=before.file.received_at)
            assert replace(entry, file=file) == before


def test_rows_come_before_the_end(tmp_path: Path) -> None:
    config = Config(port=0, archive={"path": tmp_path / "archive", "min_free": 0})
    with open_keeper(tmp_path / "archive", config) as keeper:
        store(keeper, tmp_path, *range(10))
    with open_keeper(tmp_path / "archive", config) as keeper:
        assert keeper._index.counts().instances == 10
        assert keeper.recover().adopted == 0


def test_rows_that_cannot_come_before_the_end_are_left_to_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    config = Config(port=0, archive={"path": tmp_path / "archive", "min_free": 0})
    with open_keeper(tmp_path / "archive", config) as keeper:
        gate = Gate(keeper)
        with monkeypatch.context() as patch:
            patch.setattr(keeper._index, "apply", gate)
            gate.open.clear()
            store(keeper, tmp_path, 1, 2)
            gate.failures = 1 << 30
            gate.open.set()
            keeper.posts.close()
    assert "the next start makes it" in caplog.text
    with open_keeper(tmp_path / "archive", config) as keeper:
        assert keeper.recover().adopted == 2
        assert keeper.counts().instances == 2


def test_a_change_that_is_withdrawn_never_comes() -> None:
    taken: list[object] = []

    def commit_all(changes: Sequence[object]) -> list[object]:
        taken.extend(changes)
        return [Deleted(None) for _ in changes]

    posts = Posts(commit_all, done=lambda post: None, left=lambda post: None)
    with posts._batch:  # its thread has to wait
        first = posts.post("a", NO_FILE, 1)
        second = posts.post("b", NO_FILE, 2)
        assert first is not None and second is not None
        assert posts.post("a", NO_FILE, 3) is None
        posts._batch.release()
        withdrawn = posts.withdraw(first)
        posts._batch.acquire()
    posts.close()
    assert withdrawn == (1 not in taken)
    assert 2 in taken and 3 not in taken and second.outcome is not None
    assert not posts.withdraw(second)
    assert posts.post("c", NO_FILE, 4) is None


def test_figures_do_not_wait_for_a_stuck_index(keeper: ArchiveKeeper, gate: Gate, tmp_path: Path) -> None:
    """They go with what feeds the watchdog, which has to say what is stuck."""
    store(keeper, tmp_path, 1)
    assert keeper.index.counts().instances == 1
    gate.open.clear()
    store(keeper, tmp_path, 2)
    assert archive_figures(keeper)["counts"]["instances"] == 1
    assert keeper.posts.waiting == 1
    gate.open.set()
    assert keeper.index.counts().instances == 2


def test_a_reader_does_not_wait_for_ever() -> None:
    """Another process holds the index."""
    held = threading.Event()

    def commit_all(changes: Sequence[object]) -> list[object]:
        assert held.wait(10)
        return [Deleted(None) for _ in changes]

    posts = Posts(commit_all, done=lambda post: None, left=lambda post: None)
    posts.post("a", NO_FILE, 1)
    posts.catch_up(0.01)
    assert posts.waiting == 1
    held.set()
    posts.catch_up()
    posts.close()
    assert not posts.waiting


def test_without_a_thread_nothing_can_be_posted(monkeypatch: pytest.MonkeyPatch) -> None:
    def cannot(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    posts = Posts(lambda changes: [], done=lambda post: None, left=lambda post: None)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", cannot)
        assert posts.post("a", NO_FILE, 1) is None
    posts.close()
