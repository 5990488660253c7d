"""After a commit that the disk refused: nothing is written on top before the disk was asked what it has."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import lmdb
import pytest

from fastdicom.errors import Unavailable
from fastdicom.index.environment import Index
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
