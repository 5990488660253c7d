"""The committer: batches, the order of its steps, and every step failing in turn. Promise 1."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from fastdicom.archive.commit import Committer, Ticket
from fastdicom.archive.files import Files
from fastdicom.archive.incoming import IncomingFile
from fastdicom.errors import Unavailable
from tests.support.failing_disk import FailingDisk
from tests.unit.archive.test_files import names


class FakeIndex:
    """Rows by path; can be told to fail before or after it has taken a batch."""

    def __init__(self, disk: FailingDisk) -> None:
        self.disk = disk
        self.rows: list[str] = []
        self.batches: list[int] = []
        self.fail = ""
        self.reopened = 0

    def apply(self, batch: Sequence[str]) -> list[str]:
        self.disk.calls.append("apply")
        if self.fail == "before":
            raise OSError("index failed")
        self.batches.append(len(batch))
        self.rows += batch
        if self.fail == "after":
            raise OSError("index failed after its commit")
        return [f"outcome of {path}" for path in batch]

    def reopen(self) -> None:
        self.reopened += 1
        self.fail = ""


class Bench:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.disk = FailingDisk()
        self.files = Files(root, self.disk)
        self.index = FakeIndex(self.disk)
        self.committer = Committer(
            self.index.apply, reopen=self.index.reopen, has_row=lambda path: path in self.index.rows
        )

    def sealed(self) -> IncomingFile:
        file = self.files.incoming()
        file.append([b"content"])
        file.seal(sync=True)
        return file

    def store(self) -> str:
        file = self.sealed()
        outcome: str = self.committer.commit(file, file.path)
        file.finish()
        return outcome


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_the_order_is_name_folder_file_row(bench: Bench) -> None:
    bench.files.incoming().discard()  # the block's own creation is not what we look at
    bench.disk.calls.clear()
    assert bench.store() == "outcome of 00000001/0002.dcm"
    assert bench.disk.calls == ["create", "sync_folder", "write", "sync_data", "apply"]


def test_names_that_were_made_ahead_are_synced_once(bench: Bench) -> None:
    for _ in range(2):
        bench.store()
    bench.disk.calls.clear()
    for _ in range(2):
        bench.store()
    steps = ["write", "sync_data", "apply"]
    assert bench.disk.calls == ["create", "create", "sync_folder", *steps, *steps]


def test_an_index_that_cannot_be_opened_anew_leaves_nothing_of_the_next_batch(bench: Bench) -> None:
    first, second = bench.sealed(), bench.sealed()
    bench.index.fail = "before"
    with pytest.raises(Unavailable):
        bench.committer.commit(first, first.path)

    def failing() -> None:
        raise OSError("no index")

    bench.committer._reopen = failing
    with pytest.raises(Unavailable):
        bench.committer.commit(second, second.path)
    assert bench.index.rows == [] and names(bench.root) == ["00000001/0001.dcm"]


def test_a_row_that_did_not_come_takes_its_file_along_at_the_next_batch(bench: Bench) -> None:
    file = bench.sealed()
    bench.index.fail = "before"
    with pytest.raises(Unavailable):
        bench.committer.commit(file, file.path)
    bench.store()
    assert bench.index.reopened == 1
    assert names(bench.root) == bench.index.rows == ["00000001/0002.dcm"]


def test_a_row_that_came_although_the_commit_failed_keeps_its_file(bench: Bench) -> None:
    file = bench.sealed()
    bench.index.fail = "after"
    with pytest.raises(Unavailable):
        bench.committer.commit(file, file.path)
    bench.store()
    assert names(bench.root) == bench.index.rows == ["00000001/0001.dcm", "00000001/0002.dcm"]


def test_a_file_that_cannot_be_removed_is_left_to_the_next_start(bench: Bench) -> None:
    file = bench.sealed()
    bench.index.fail = "before"
    bench.disk.fail("unlink")
    with pytest.raises(Unavailable):
        bench.committer.commit(file, file.path)
    bench.committer._begin_again()
    assert names(bench.root) == ["00000001/0001.dcm"]
    assert not file.block.clean


def test_changes_that_wait_share_one_batch(bench: Bench) -> None:
    held = threading.Event()
    inside = threading.Event()
    apply = bench.index.apply

    def slow_apply(batch: Sequence[str]) -> list[str]:
        inside.set()
        held.wait(10)
        return apply(batch)

    bench.committer._apply = slow_apply
    files = [bench.sealed() for _ in range(8)]
    threads = [
        threading.Thread(target=bench.committer.commit, args=(file, file.path), daemon=True) for file in files
    ]
    threads[0].start()
    assert inside.wait(10)
    for thread in threads[1:]:
        thread.start()
    while bench.committer.waiting < 7:
        threads[1].join(0.001)
    held.set()
    for thread in threads:
        thread.join(10)
    assert bench.index.batches == [1, 7]
    assert sorted(bench.index.rows) == [file.path for file in files]
    assert (bench.committer.batches, bench.committer.commits) == (2, 8)


def test_an_interrupt_of_the_leader_is_no_success_for_the_others(bench: Bench) -> None:
    """One shares its batch and is told so, one comes behind it and leads the next."""
    files = [bench.sealed() for _ in range(3)]
    inside, held = threading.Event(), threading.Event()

    def interrupted(batch: Sequence[str]) -> list[str]:
        if len(batch) == 1:
            return bench.index.apply(batch)
        inside.set()
        held.wait(10)
        raise KeyboardInterrupt

    bench.committer._apply = interrupted
    tickets = [Ticket(file, file.path) for file in files]
    leader = Waiting(bench.committer, tickets[:2])
    assert inside.wait(10)
    behind = Waiting(bench.committer, tickets[2:])
    while not bench.committer.waiting:
        behind.join(0.001)
    held.set()
    leader.join(10)
    behind.join(10)
    assert isinstance(leader.ended, KeyboardInterrupt) and behind.ended is None
    assert [ticket.error is None for ticket in tickets] == [False, False, True]
    assert not bench.committer.busy


class Waiting(threading.Thread):
    """Brings tickets to their end on a thread of its own."""

    def __init__(self, committer: Committer, tickets: list[Ticket]) -> None:
        super().__init__(daemon=True)
        self.committer, self.tickets = committer, tickets
        self.ended: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self.committer._see_to(self.tickets)
        except BaseException as error:
            self.ended = error


class InterruptedTurn:
    """A ticket's turn in whose wait the host presses Ctrl-C."""

    def __init__(self, meanwhile: Callable[[], None]) -> None:
        self.meanwhile = meanwhile

    def wait(self) -> None:
        self.meanwhile()
        raise KeyboardInterrupt

    def give(self) -> None:
        pass


@pytest.mark.parametrize("told_to_lead", [False, True])
def test_an_interrupt_of_one_who_waits_holds_nobody_up(bench: Bench, told_to_lead: bool) -> None:
    first, second, third = (bench.sealed() for _ in range(3))
    inside, held = threading.Event(), threading.Event()

    def slow_apply(batch: Sequence[str]) -> list[str]:
        inside.set()
        held.wait(10)
        return bench.index.apply(batch)

    bench.committer._apply = slow_apply
    leader = Waiting(bench.committer, [Ticket(first, first.path)])
    assert inside.wait(10)
    interrupted = Ticket(second, second.path)

    def meanwhile() -> None:
        if told_to_lead:
            held.set()
            while not interrupted.leads:
                leader.join(0.001)

    interrupted.turn = InterruptedTurn(meanwhile)  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        bench.committer._see_to([interrupted])
    held.set()
    leader.join(10)
    bench.committer.commit(third, third.path)
    rows = [first.path, *([second.path] if told_to_lead else []), third.path]
    assert bench.index.rows == rows and not bench.committer.busy
    assert second.block.clean == told_to_lead


def test_closing_leaves_files_in_doubt_to_the_next_start(bench: Bench) -> None:
    file = bench.sealed()
    bench.index.fail = "after"
    with pytest.raises(Unavailable):
        bench.committer.commit(file, file.path)
    bench.committer.close()
    bench.files.close()
    assert names(bench.root) == ["00000001/0001.dcm"]
    assert bench.files.layout.take_finished() == []


def test_a_batch_is_refused_while_nothing_can_be_made_durable(bench: Bench) -> None:
    def not_now() -> None:
        raise Unavailable("the disk fails")

    bench.committer._ready = not_now
    with pytest.raises(Unavailable):
        bench.store()
    assert "apply" not in bench.disk.calls
    bench.committer._ready = bench.files.health.check
    assert bench.store()


def test_changes_without_files_share_a_batch(bench: Bench) -> None:
    assert bench.committer.commit_all(["a", "b", "c"]) == [
        "outcome of a", "outcome of b", "outcome of c",
    ]  # fmt: skip
    assert bench.index.batches == [3]
    bench.index.fail = "before"
    with pytest.raises(Unavailable):
        bench.committer.commit_all(["d"])
