"""After a commit that the disk refused: nothing is written on top before the disk was asked what it has."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import lmdb
import pytest

from fastdicom.errors import Unavailable
from fastdicom.index.environment import Index
from tests.support.asking import ask
from tests.support.records import put


@pytest.fixture
def failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Index:
    """An index of one instance whose second commit failed."""
    index = Index.open(tmp_path / "index")
    index.apply([put("1.1", "2.1", "3.1")])

    def fail(work: Any) -> None:
        raise lmdb.DiskError("mdb_txn_commit: Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(index._store, "_attempt", fail)
        with pytest.raises(Unavailable, match="Input/output error"):
            index.apply([put("1.2", "2.1", "3.1")])
    return index


def test_no_write_of_any_kind_goes_on_top_of_it(failed: Index) -> None:
    writes = (
        lambda: failed.apply([put("1.3", "2.1", "3.1")]),
        lambda: failed.note("a", b"1"),
        lambda: failed.mark("b0/1.1.dcm", "damaged", 1.0),
        lambda: failed.forget_trash(["x"]),
    )
    for write in writes:
        with pytest.raises(Unavailable, match="not opened anew yet"):
            write()
    assert failed.get("1.1") is not None
    failed.reopen()
    for write in writes:
        write()
    assert failed.counts().instances == 2
    failed.close()


def test_it_is_opened_anew_from_the_disk_and_not_from_memory(
    failed: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    store = failed._store

    def note(name: str, real: Any) -> Any:
        def noted(*arguments: Any) -> Any:
            calls.append(name)
            return real(*arguments)

        return noted

    monkeypatch.setattr(os, "fsync", note("fsync", os.fsync))
    monkeypatch.setattr(os, "posix_fadvise", note(f"advise {os.POSIX_FADV_DONTNEED}", os.posix_fadvise))
    monkeypatch.setattr(store, "_open", note("open", store._open))
    failed.reopen()
    assert calls == ["fsync", f"advise {os.POSIX_FADV_DONTNEED}", "open"]
    failed.close()


def test_while_the_disk_cannot_sync_it_stays_closed_to_writers_and_open_to_readers(
    failed: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(fd: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fail)
        with pytest.raises(Unavailable, match="cannot be synced"):
            failed.reopen()
        assert failed.get("1.1") is not None
        with pytest.raises(Unavailable, match="not opened anew"):
            failed.note("a", b"1")
    failed.reopen()
    failed.note("a", b"1")
    failed.close()


class Panicking:
    """An environment that LMDB has given up."""

    def __init__(self, environment: Any) -> None:
        self._environment = environment

    def begin(self, **_: Any) -> Any:
        raise lmdb.PanicError("mdb_txn_renew: MDB_PANIC: Update of meta page failed")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._environment, name)


def test_readers_go_on_when_lmdb_gave_up_and_writers_wait_for_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = Index.open(tmp_path / "index")
    index.apply([put("1.1", "2.1", "3.1")])
    store = index._store
    store._environment = Panicking(store._environment)
    answers = index.find(ask("STUDY", StudyInstanceUID=""))
    assert [answer is not None for answer in answers] == [True]
    with pytest.raises(Unavailable, match="not opened anew"):
        index.note("a", b"1")
    store._environment = Panicking(store._environment)
    opened = store._opened
    with monkeypatch.context() as patched:

        def fail(size: int) -> Any:
            raise lmdb.DiskError("Input/output error")

        patched.setattr(store, "_opened", fail)
        for _ in range(2):
            with pytest.raises(Unavailable, match="the index failed"):
                index.get("1.1")
    assert store._opened == opened
    assert index.get("1.1") is not None
    index.reopen()
    index.note("a", b"1")
    index.close()
