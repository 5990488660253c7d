"""Start-up of an archive after interruptions."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from fastdicom import Archive, Config
from fastdicom.keeper import open_keeper
from tests.support.archives import Filler


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """An archive of three instances that nobody has open."""
    path = tmp_path / "archive"
    with open_keeper(path, Config(archive=path)) as keeper:
        Filler(keeper).study("1.1", instances=3)
    return path


def test_a_rebuild_that_was_cut_between_its_renames_is_finished(archive: Path) -> None:
    shutil.copytree(archive / "index", archive / "index.rebuild")  # whole and synced when the renames begin
    (archive / "index").rename(archive / "index.old")
    with Archive(archive) as opened:
        assert opened.counts().instances == 3
    assert not (archive / "index.rebuild").exists()


def test_without_the_new_index_the_old_one_is_taken(archive: Path) -> None:
    (archive / "index").rename(archive / "index.old")
    with Archive(archive) as opened:
        assert opened.counts().instances == 3


def test_a_rebuild_that_was_cut_before_them_changes_nothing(archive: Path) -> None:
    (archive / "index.rebuild").mkdir()
    (archive / "index.rebuild" / "data.mdb").write_bytes(b"half")
    with Archive(archive) as opened:
        assert opened.counts().instances == 3
        assert opened.rebuild().indexed == 3


def test_many_leftovers_are_indexed_in_one_transaction(tmp_path: Path) -> None:
    path = tmp_path / "archive"
    with open_keeper(path, Config(archive=path)) as keeper:
        Filler(keeper).study("1.1", instances=30)
    shutil.rmtree(path / "index")
    with open_keeper(path, Config(archive=path)) as keeper:
        apply, batches = keeper.index.apply, []

        def counted(*arguments: object, **named: object) -> object:
            batches.append(len(arguments[0]))  # type: ignore[arg-type]
            return apply(*arguments, **named)  # type: ignore[arg-type]

        keeper.index.apply = counted  # type: ignore[method-assign, assignment]
        assert keeper.recover().adopted == 30
        assert [count for count in batches if count] == [30]
        assert keeper.counts().instances == 30
