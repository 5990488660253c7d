"""`fastdicom transcode`: files and folders; what fails is named, what is written is whole."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file

from fastdicom.cli.main import main

SYNTAX = ["--transfer-syntax", "RLELossless"]
CT = Path(str(get_testdata_file("CT_small.dcm")))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    shutil.copy(CT, tmp_path / "a.dcm")
    return tmp_path / "a.dcm"


def broken(path: Path) -> None:
    """A CT whose Rows do not fit its pixels."""
    ds = dcmread(CT)
    ds.Rows = 500
    ds.save_as(path)


def test_one_file(source: Path, tmp_path: Path) -> None:
    assert main(["transcode", str(source), str(tmp_path / "b.dcm"), *SYNTAX]) == 0
    ds = dcmread(tmp_path / "b.dcm")
    assert ds.file_meta.TransferSyntaxUID.keyword == "RLELossless"
    assert (ds.pixel_array == dcmread(CT).pixel_array).all()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.dcm", "b.dcm"]


def test_one_file_that_fails_leaves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken(tmp_path / "a.dcm")
    assert main(["transcode", str(tmp_path / "a.dcm"), str(tmp_path / "b.dcm"), *SYNTAX]) == 1
    assert capsys.readouterr().err == (
        "fastdicom transcode: Pixel Data has 32768 bytes, 1 frames take 128000\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["a.dcm"]


@pytest.mark.parametrize(("target", "why"), [("no/b.dcm", "No such file"), ("folder", "Is a directory")])
def test_a_target_that_cannot_be_written_is_named(
    target: str, why: str, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "folder").mkdir()
    assert main(["transcode", str(source), str(tmp_path / target), *SYNTAX]) == 2
    error = capsys.readouterr().err
    assert f"{tmp_path / target}: {why}" in error and ".part" not in error


def test_a_file_can_take_its_own_place(source: Path) -> None:
    assert main(["transcode", str(source), str(source), *SYNTAX]) == 0
    assert dcmread(source).file_meta.TransferSyntaxUID.keyword == "RLELossless"


def test_a_quality_makes_a_new_instance(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "b.dcm"
    assert (
        main(
            [
                "transcode",
                str(source),
                str(target),
                "--transfer-syntax",
                "JPEG2000",
                "--quality",
                "60",
            ]
        )
        == 0
    )
    assert dcmread(target).LossyImageCompression == "01"
    assert dcmread(target).SOPInstanceUID != dcmread(source).SOPInstanceUID


def test_a_quality_where_there_is_none(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["transcode", str(source), str(tmp_path / "b"), *SYNTAX, "--quality", "60"]) == 2
    assert "RLELossless has no quality" in capsys.readouterr().err


def test_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "in"
    (source / "below").mkdir(parents=True)
    shutil.copy(CT, source / "a.dcm")
    shutil.copy(CT, source / "below" / "b.dcm")
    broken(source / "broken.dcm")
    (source / "readme.txt").write_text("this is no DICOM file")
    assert main(["transcode", str(source), str(tmp_path / "out"), *SYNTAX]) == 1
    output = capsys.readouterr()
    assert output.out == "converted 2 files, 1 failed\n"
    assert output.err.splitlines() == [
        f"skipped {source}/readme.txt: no DICOM file: neither DICM at byte 128 nor a Data Element at its"
        " start",
        f"failed {source}/broken.dcm: Pixel Data has 32768 bytes, 1 frames take 128000",
    ]
    written = sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.dcm"))
    assert written == ["a.dcm", "below/b.dcm"]


def test_a_folder_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in").mkdir()
    shutil.copy(CT, tmp_path / "in" / "a.dcm")
    assert main(["transcode", str(tmp_path / "in"), str(tmp_path / "out"), *SYNTAX, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["converted"] == 1


def test_an_empty_folder_and_a_file_as_its_target_are_mistakes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "file").touch()
    assert main(["transcode", str(tmp_path / "in"), str(tmp_path / "out"), *SYNTAX]) == 2
    assert f"there is no DICOM file in {tmp_path / 'in'}" in capsys.readouterr().err
    assert main(["transcode", str(tmp_path / "in"), str(tmp_path / "file"), *SYNTAX]) == 2
    assert "file is a file, not a folder" in capsys.readouterr().err


def test_a_source_that_is_not_there_ends_with_two(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["transcode", str(tmp_path / "none"), str(tmp_path / "b"), *SYNTAX]) == 2
    assert capsys.readouterr().err.count("\n") == 1
