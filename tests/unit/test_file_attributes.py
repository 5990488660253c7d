"""What queries read from stored files: any attribute, private ones too, never more than a file's share."""

from __future__ import annotations

import logging
import random
from pathlib import Path

import pytest
from pydicom import Dataset

from fastdicom import Archive, Config
from fastdicom.archive.disk import Disk
from fastdicom.archive.files import Files
from fastdicom.dataset.record import FileEntry, StoredEntry
from fastdicom.file_attributes import FileAttributes
from fastdicom.kernels.rows import elements
from fastdicom.queries import encode
from fastdicom.sections.limits import Limits
from fastdicom.standard.transfer_syntaxes import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
)
from tests.support.asking import SYNTAXES
from tests.support.datasets import CT_IMAGE_STORAGE, header, numbered_uids
from tests.support.part10 import join

KVP, DOSE, PRIVATE, CREATOR = 0x00180060, 0x00189345, 0x00091001, 0x00090010


def dataset() -> Dataset:
    """With a private block that another creator pushed to 11H, a sequence and long text."""
    made = header(CT_IMAGE_STORAGE, numbered_uids(7, 1))
    made.SpecificCharacterSet = "ISO_IR 100"
    made.KVP = "120"
    made.CTDIvol = 2.5
    made.add_new(CREATOR, "LO", "SOMEBODY ELSE")
    made.add_new(PRIVATE, "SH", "not this")
    made.add_new(0x00090011, "LO", "ACME")
    made.add_new(0x00091101, "LO", "Grün")
    made.add_new(0x00091102, "US", 513)
    item = Dataset()
    item.CodeValue = "X"
    made.AnatomicRegionSequence = [item]
    return made


def stored(folder: Path, made: Dataset, syntax: str) -> StoredEntry:
    data = encode(made, syntax)
    (folder / "1.dcm").write_bytes(b"x" * 100 + data)
    file = FileEntry("1.dcm", 100 + len(data), 100, 0, syntax, 0.0, "CT")
    return StoredEntry(
        CT_IMAGE_STORAGE, made.SOPInstanceUID, made.StudyInstanceUID, made.SeriesInstanceUID, file
    )


def values(data: bytes) -> dict[int, bytes]:
    return {tag: value.strip(b" \0") for tag, _, value in elements(data)}


def reader(folder: Path, **limits: int) -> FileAttributes:
    return FileAttributes(Files(folder, Disk()), Limits(**limits))


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_what_is_asked_for_is_read(tmp_path: Path, syntax: str) -> None:
    found = values(
        reader(tmp_path)(stored(tmp_path, dataset(), syntax), (KVP, DOSE, 0x00082218, 0x00181111), {})
    )
    assert found.keys() == {0x00080005, KVP, DOSE, 0x00082218}
    assert found[KVP] == b"120"
    assert found[DOSE] == b"\0\0\0\0\0\0\4\x40".strip(b"\0")  # little endian whatever the file is
    assert b"X" in found[0x00082218]


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_private_attribute_is_that_of_the_creator_whom_the_asker_names(tmp_path: Path, syntax: str) -> None:
    tags = (CREATOR, PRIVATE, 0x00091002)
    found = values(reader(tmp_path)(stored(tmp_path, dataset(), syntax), tags, {CREATOR: "ACME"}))
    assert found[CREATOR] == b"ACME"
    assert found[PRIVATE] == "Grün".encode("latin_1")
    assert found[0x00091002] == b"\1\2"


def test_a_creator_that_the_file_does_not_have_gives_nothing(tmp_path: Path) -> None:
    entry = stored(tmp_path, dataset(), EXPLICIT_VR_LITTLE_ENDIAN)
    found = values(reader(tmp_path)(entry, (CREATOR, PRIVATE, KVP), {CREATOR: "NOBODY"}))
    assert found.keys() == {0x00080005, KVP}


def test_without_a_creator_the_tag_is_taken_as_it_is(tmp_path: Path) -> None:
    entry = stored(tmp_path, dataset(), EXPLICIT_VR_LITTLE_ENDIAN)
    assert values(reader(tmp_path)(entry, (PRIVATE,), {}))[PRIVATE] == b"not this"


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_no_more_of_a_file_is_looked_at_than_the_ceiling(tmp_path: Path, syntax: str) -> None:
    made = dataset()
    made.TextValue = "y" * 200_000
    made.EncapsulatedDocument = random.Random(1).randbytes(2_000_000)
    made.add_new(0x50000010, "US", 1)
    entry = stored(tmp_path, made, syntax)
    found = values(reader(tmp_path, file_read_length_max=1 << 20)(entry, (KVP, 0x50000010), {}))
    assert found.keys() == {0x00080005, KVP}
    assert 0x50000010 in values(reader(tmp_path, file_read_length_max=1 << 22)(entry, (0x50000010,), {}))


def test_a_deflate_bomb_costs_no_more_than_its_ceiling(tmp_path: Path) -> None:
    made = dataset()
    made.add_new(0x00091103, "OB", bytes(64 << 20))
    entry = stored(tmp_path, made, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN)
    found = values(reader(tmp_path)(entry, (0x00080008, KVP), {}))
    assert found.keys() == {0x00080005, 0x00080008}  # KVP stands behind the bomb


def test_all_deflated_files_of_a_query_share_one_ceiling(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = dataset()
    made.add_new(0x00091103, "OB", bytes(1 << 20))
    bomb = stored(tmp_path, made, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN)
    query = reader(tmp_path)
    answers = [values(query(bomb, (0x00080008, 0x00181111), {})) for _ in range(30)]
    assert all(0x00080008 in answer for answer in answers[:16])
    assert not any(answers[17:])
    assert len(caplog.records) == 1
    plain = stored(tmp_path, made, EXPLICIT_VR_LITTLE_ENDIAN)
    assert 0x00080008 in values(query(plain, (0x00080008,), {}))
    assert 0x00080008 in values(reader(tmp_path)(plain, (0x00080008,), {}))


def test_values_too_long_for_an_answer_stay_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made = dataset()
    made.TextValue = "y" * 100_000
    entry = stored(tmp_path, made, EXPLICIT_VR_LITTLE_ENDIAN)
    with caplog.at_level(logging.INFO):
        assert 0x0040A160 not in values(reader(tmp_path)(entry, (0x0040A160,), {}))
    assert "too long" in caplog.text


def test_a_damaged_file_gives_what_comes_before_the_damage(tmp_path: Path) -> None:
    entry = stored(tmp_path, dataset(), EXPLICIT_VR_LITTLE_ENDIAN)
    whole = (tmp_path / "1.dcm").read_bytes()
    (tmp_path / "1.dcm").write_bytes(whole[:-1] + b"\xff" * 40)
    assert values(reader(tmp_path)(entry, (KVP, 0x7FDF0010), {}))[KVP] == b"120"


def test_an_archive_answers_with_them_and_tells_what_it_cost(tmp_path: Path) -> None:
    made = dataset()
    source = tmp_path / "one.dcm"
    raw = encode(made, EXPLICIT_VR_LITTLE_ENDIAN)
    source.write_bytes(join(raw, CT_IMAGE_STORAGE, made.SOPInstanceUID, EXPLICIT_VR_LITTLE_ENDIAN))
    with Archive(tmp_path / "archive", create=True) as archive:
        archive.import_paths([source])
        (answer,) = archive.find(KVP="", **{"0009,0010": "ACME", "0009,1001": ""})
        assert (answer.KVP, answer[PRIVATE].value) == (120, "Grün")
        assert archive.explain(KVP="").files_read == 1
    without = Config(archive=tmp_path / "archive", query={"read_files": False})
    with Archive(tmp_path / "archive", config=without) as archive:
        (answer,) = archive.find(KVP="")
        assert "KVP" not in answer
        assert archive.explain(KVP="").files_read == 0
