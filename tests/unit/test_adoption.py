"""What a start makes of files without rows: whole ones come back, others go. Promise 1."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastdicom import Archive
from fastdicom.archive.disk import Disk
from fastdicom.config import Config
from fastdicom.dataset.part10 import encode_file_meta, read_file_meta
from fastdicom.dataset.record import Delete
from fastdicom.importing import take_file
from fastdicom.keeper import ArchiveKeeper, open_keeper
from tests.support.datasets import Template, numbered_uids
from tests.support.part10 import join
from tests.support.rawdicom import CT_IMAGE_STORAGE, EXPLICIT_LE


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.dcm"
    uids = numbered_uids(1, 1)
    data = Template.make(CT_IMAGE_STORAGE, EXPLICIT_LE, 256).stamped(uids)
    path.write_bytes(join(data, EXPLICIT_LE, CT_IMAGE_STORAGE, uids.instance))
    return path


def config(archive: Path) -> Config:
    return Config(port=0, archive={"path": archive, "min_free": 0})


@pytest.fixture
def stored(tmp_path: Path, source: Path) -> Path:
    """The one file of an archive whose index has lost its last transaction, as after a power cut."""
    archive = tmp_path / "archive"
    with open_keeper(archive, config(archive)) as keeper:
        take_file(keeper, source)
        (entry,) = keeper.index.entries()
        path = keeper.path_of(entry)
        keeper.index.apply([Delete(entry.sop_instance_uid)])
        for name in keeper.index.trash():
            keeper.index.forget_trash([name])
        keeper.files.layout._block.clean = False  # or the end would seal it
    return path


def restarted(stored: Path) -> ArchiveKeeper:
    archive = stored.parents[2]
    return open_keeper(archive, config(archive), disk=Disk())


def test_a_whole_file_without_a_row_comes_back(stored: Path) -> None:
    content = stored.read_bytes()
    with restarted(stored) as keeper:
        assert keeper.recover().adopted == 1
        (entry,) = keeper.index.entries()
        assert entry.file.source_ae_title == "" and entry.file.size == len(content)
        assert keeper.path_of(entry).read_bytes() == content


@pytest.mark.parametrize("cut", [1, 131, 140, 400, -300, -1])
def test_a_file_that_is_cut_goes(stored: Path, cut: int) -> None:
    stored.write_bytes(stored.read_bytes()[:cut])
    with restarted(stored) as keeper:
        found = keeper.recover()
        assert (found.adopted, found.swept, found.unreadable) == (0, 1, 0)
    assert not stored.exists()


@pytest.mark.parametrize("begin", [0, 600])
def test_a_file_that_is_blank_from_somewhere_on_goes(stored: Path, begin: int) -> None:
    content = stored.read_bytes()
    stored.write_bytes(content[:begin] + bytes(len(content) - begin))
    with restarted(stored) as keeper:
        assert keeper.recover().swept == 1
    assert not stored.exists()


def test_a_file_that_was_never_sealed_goes_though_it_reads_well(stored: Path) -> None:
    content = bytearray(stored.read_bytes())
    offset = read_file_meta(content).dataset_offset
    content[offset - 16 : offset] = bytes(16)
    stored.write_bytes(content)
    with restarted(stored) as keeper:
        assert keeper.recover().swept == 1
    assert not stored.exists()


def test_a_file_of_an_older_archive_without_a_seal_comes_back(stored: Path, source: Path) -> None:
    stored.write_bytes(source.read_bytes())
    with restarted(stored) as keeper:
        assert keeper.recover().adopted == 1


def test_what_is_being_received_is_no_orphan(tmp_path: Path, source: Path) -> None:
    archive = tmp_path / "archive"
    with open_keeper(archive, config(archive)) as keeper, Archive(archive, config=config(archive)) as opened:
        take_file(keeper, source)
        coming = keeper.incoming()
        coming.append([encode_file_meta(CT_IMAGE_STORAGE, "1.2.3", EXPLICIT_LE, sealable=True), bytes(1000)])
        report = opened.verify()
        assert report.ok and not report.orphans
        coming.discard()


def test_a_rebuild_passes_over_what_was_never_whole(stored: Path, source: Path) -> None:
    archive = stored.parents[2]
    with restarted(stored) as keeper:
        keeper.recover()
    unfinished = stored.with_name("0fff.dcm")
    content = bytearray(stored.read_bytes())
    offset = read_file_meta(content).dataset_offset
    content[offset - 16 : offset] = bytes(16)
    unfinished.write_bytes(content)
    stored.with_name("0ffe.dcm").write_bytes(b"")
    with Archive(archive, config=config(archive)) as opened:
        before = opened.counts()
    report = Archive(archive, config=config(archive)).rebuild()
    assert (report.indexed, report.failed) == (1, [])
    with Archive(archive, config=config(archive)) as opened:
        assert opened.counts() == before
    assert not unfinished.exists()
