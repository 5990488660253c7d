"""Compression on ingest: what is kept, that it can be proved, and that it never costs an instance."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import imagecodecs
import pytest
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.encaps import get_frame

import fastdicom
from fastdicom import Archive, Config, Engine
from fastdicom.compressing import Compressor
from fastdicom.dataset.compression_note import decode_note
from fastdicom.dataset.record import Compression, StoredEntry
from fastdicom.errors import CodecError
from fastdicom.maintenance import _pixels_changed
from fastdicom.transcoding.proof import compare_pixels, pixel_checksum
from tests.support.image_objects import EXPLICIT_LE, image_object, to_bytes
from tests.support.images import picture

CT = Path(str(get_testdata_file("CT_small.dcm")))
SV1 = "1.2.840.10008.1.2.4.70"


def kept(tmp_path: Path, rule: dict[str, Any], *sources: Path) -> list[StoredEntry]:
    """What an archive holds after the sources were sent to a node with this rule."""
    config = Config(port=0, archive=tmp_path / "archive", compress=[rule])
    with Engine(config) as engine, fastdicom.connect(*engine.addresses[0], calling="SCANNER") as peer:
        report = peer.store(sources)
        assert report.ok and report.sent == len(sources)
    with Archive(tmp_path / "archive", config=config) as archive:
        assert archive.verify().ok
        return list(archive.instances())


def test_what_fits_a_rule_is_kept_compressed_with_its_proof(tmp_path: Path) -> None:
    rule = {"transfer_syntax": "JPEGLosslessSV1", "modalities": ["CT"], "peers": ["SCANNER"]}
    (entry,) = kept(tmp_path, rule, CT)
    file = tmp_path / "archive" / "objects" / entry.file.path
    ds, original = dcmread(file), dcmread(CT)
    assert ds.file_meta.TransferSyntaxUID == entry.file.transfer_syntax_uid == SV1
    assert ds.file_meta.SourceApplicationEntityTitle == "SCANNER"
    codestream = get_frame(ds.PixelData, 0, number_of_frames=1)
    assert (imagecodecs.jpeg8_decode(codestream) == original.pixel_array).all()
    assert {one.keyword for one in ds if ds[one.tag] != original.get(one.tag)} == {"PixelData"}
    proof = entry.file.compression
    assert proof is not None
    assert proof.received_as == "1.2.840.10008.1.2.1" and proof.received_size > entry.file.size
    assert proof.pixels_before == proof.pixels_after
    assert len(list((tmp_path / "archive" / "objects").rglob("*.*"))) == 1


def test_a_rebuilt_index_still_has_the_proof(tmp_path: Path) -> None:
    (entry,) = kept(tmp_path, {"transfer_syntax": "JPEGLosslessSV1"}, CT)
    with Archive(tmp_path / "archive") as archive:
        archive.rebuild()
        (again,) = archive.instances()
        assert again.file.compression == entry.file.compression is not None
        assert archive.verify().ok


def test_an_imported_file_does_not_say_what_it_was(tmp_path: Path) -> None:
    """Only what we have compressed ourselves is proved: an import writes File Meta Information anew."""
    (entry,) = kept(tmp_path, {"transfer_syntax": "JPEGLosslessSV1"}, CT)
    ours = tmp_path / "archive" / "objects" / entry.file.path
    with Archive(tmp_path / "second", create=True) as archive:
        assert archive.import_paths([ours]).imported == 1
        archive.rebuild()
        (other,) = archive.instances()
        assert other.file.compression is None and other.file.checksum == entry.file.checksum


@pytest.mark.parametrize(
    "note",
    [
        b"compressed 2 1.2.840.10008.1.2.1 10 00000000000000aa 00000000000000bb",
        b"compressed 1 1.2.840.10008.1.2.1 10 00000000000000aa",
        b"compressed 1 1.2.840.10008.1.2.1 -1 00000000000000aa 00000000000000bb",
        b"compressed 1 1.2.3 1000000000000000000 00000000000000aa 00000000000000bb",
        b"",
    ],
)
def test_what_is_no_note_of_ours_proves_nothing(note: bytes) -> None:
    assert decode_note(note) is None


@pytest.mark.parametrize(
    "rule",
    [
        {"modalities": ["MR"]},
        {"peers": ["OTHER"]},
        {"sop_classes": ["MRImageStorage"]},
        {"dataset_length_max": 1000},
    ],
)
def test_what_fits_no_rule_is_kept_as_it_came(tmp_path: Path, rule: dict[str, Any]) -> None:
    (entry,) = kept(tmp_path, {"transfer_syntax": "RLELossless", **rule}, CT)
    assert entry.file.transfer_syntax_uid == "1.2.840.10008.1.2.1" and entry.file.compression is None


@pytest.fixture
def report(tmp_path: Path) -> Iterator[Path]:
    """A CT instance without pixels."""
    ds = dcmread(CT)
    del ds.PixelData
    ds.save_as(tmp_path / "report.dcm")
    yield tmp_path / "report.dcm"


@pytest.fixture
def broken(tmp_path: Path) -> Iterator[Path]:
    """Fewer pixels than the attributes say."""
    ds = dcmread(CT)
    ds.PixelData = ds.PixelData[:-100]
    ds.save_as(tmp_path / "broken.dcm")
    yield tmp_path / "broken.dcm"


@pytest.mark.parametrize("name", ["report", "broken"])
def test_what_cannot_be_compressed_is_kept_as_it_came(
    tmp_path: Path, name: str, request: pytest.FixtureRequest
) -> None:
    (entry,) = kept(tmp_path, {"transfer_syntax": "JPEGLosslessSV1"}, request.getfixturevalue(name))
    assert entry.file.transfer_syntax_uid == "1.2.840.10008.1.2.1" and entry.file.compression is None


def test_pixels_that_come_back_otherwise_keep_the_original(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def differ(*_: object) -> tuple[int, int]:
        raise CodecError("frame 1 is not the same any more")

    monkeypatch.setattr("fastdicom.compressing.compare_pixels", differ)
    (entry,) = kept(tmp_path, {"transfer_syntax": "JPEGLosslessSV1"}, CT)
    assert entry.file.compression is None
    assert "is kept as it came: frame 1 is not the same any more" in caplog.text
    assert len(list((tmp_path / "archive" / "objects").rglob("*.*"))) == 1


def test_a_disk_that_refuses_the_copy_keeps_the_original(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Compressor, "_write", refuse)
    (entry,) = kept(tmp_path, {"transfer_syntax": "JPEGLosslessSV1"}, CT)
    assert entry.file.compression is None
    assert len(list((tmp_path / "archive" / "objects").rglob("*.*"))) == 1


def test_the_same_again_is_recognized_by_what_was_received(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    entries = kept(tmp_path, {"transfer_syntax": "JPEGLosslessSV1"}, CT, CT)
    assert len(entries) == 1 and "other content" not in caplog.text


def test_verify_looks_into_the_frames(tmp_path: Path) -> None:
    (entry,) = kept(tmp_path, {"transfer_syntax": "JPEGLosslessSV1"}, CT)
    path = tmp_path / "archive" / "objects" / entry.file.path
    good = entry.file.compression
    assert good is not None and _pixels_changed(path, entry.file, good) == ""
    bad = Compression(good.received_as, 1, 2, good.pixels_before + 1, good.pixels_after)
    assert "not those that were received" in _pixels_changed(path, entry.file, bad)
    path.write_bytes(path.read_bytes()[:-300])
    assert "cannot be decoded" in _pixels_changed(path, entry.file, good)


def one(change: int = 0) -> Dataset:
    pixels = picture(8, 8, 0, 4000, "<u2", 3).transpose(2, 0, 1).copy()
    pixels[2, 3, 3] += change
    return image_object(pixels)


def test_the_first_frame_that_differs_is_named() -> None:
    same, other = to_bytes(one()), to_bytes(one(1))
    before, after = compare_pixels(same, EXPLICIT_LE, same, EXPLICIT_LE)
    assert before == after == pixel_checksum(same, EXPLICIT_LE) != pixel_checksum(other, EXPLICIT_LE)
    with pytest.raises(CodecError, match="frame 3 is not the same"):
        compare_pixels(same, EXPLICIT_LE, other, EXPLICIT_LE)


@pytest.mark.parametrize(
    ("peers", "source", "compressed"),
    [([], "", True), (["SCANNER"], "SCANNER", True), (["SCANNER"], "OTHER", False), (["SCANNER"], "", False)],
)
def test_an_import_follows_the_rules_and_the_file_says_who_sent_it(
    tmp_path: Path, peers: list[str], source: str, compressed: bool
) -> None:
    ds = dcmread(CT)
    ds.file_meta.SourceApplicationEntityTitle = source
    ds.save_as(tmp_path / "source.dcm")
    rule = {"transfer_syntax": "JPEGLosslessSV1", "modalities": ["CT"], "peers": peers}
    config = Config(archive=tmp_path / "archive", compress=[rule])
    with Archive(tmp_path / "archive", config=config, create=True) as archive:
        report = archive.import_paths([tmp_path / "source.dcm", CT])
        assert report.imported + report.duplicates == 2 and report.ok
        assert archive.verify().ok
        (entry,) = archive.instances()
        assert (entry.file.compression is not None) is compressed
        assert entry.file.source_ae_title == source
        archive.rebuild()
        assert archive.instances()[0].file.compression == entry.file.compression
    kept_as = dcmread(tmp_path / "archive" / "objects" / entry.file.path)
    assert kept_as.file_meta.TransferSyntaxUID == (SV1 if compressed else "1.2.840.10008.1.2.1")
    assert len(list((tmp_path / "archive" / "objects").rglob("*.*"))) == 1
