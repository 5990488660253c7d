"""`fastdicom transcode`: files and folders; what fails is named, what is written is whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import fastdicom
from fastdicom.cli.main import main
from fastdicom.errors import CodecError

DICOM = bytes(128) + b"DICM"
SYNTAX = ["--transfer-syntax", "RLELossless"]


@pytest.fixture(autouse=True)
def transcoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """A transcoder that writes the UID behind the file, and fails when the file says so."""

    def transcode(source: Path, syntax: str) -> bytes:
        data = source.read_bytes()
        if data.endswith(b"broken"):
            raise CodecError("segment 3 is cut", 17)
        return data + syntax.encode()

    monkeypatch.setitem(vars(fastdicom), "transcode", transcode)


def test_one_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.dcm").write_bytes(DICOM)
    assert main(["transcode", str(tmp_path / "a.dcm"), str(tmp_path / "b.dcm"), *SYNTAX]) == 0
    assert (tmp_path / "b.dcm").read_bytes() == DICOM + b"1.2.840.10008.1.2.5"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.dcm", "b.dcm"]


def test_one_file_that_fails_leaves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.dcm").write_bytes(DICOM + b"broken")
    assert main(["transcode", str(tmp_path / "a.dcm"), str(tmp_path / "b.dcm"), *SYNTAX]) == 1
    assert capsys.readouterr().err == "fastdicom transcode: segment 3 is cut (at byte 17)\n"
    assert [path.name for path in tmp_path.iterdir()] == ["a.dcm"]


def test_a_file_can_take_its_own_place(tmp_path: Path) -> None:
    (tmp_path / "a.dcm").write_bytes(DICOM)
    main(["transcode", str(tmp_path / "a.dcm"), str(tmp_path / "a.dcm"), *SYNTAX])
    assert (tmp_path / "a.dcm").read_bytes() == DICOM + b"1.2.840.10008.1.2.5"


def test_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "in"
    (source / "below").mkdir(parents=True)
    (source / "a.dcm").write_bytes(DICOM)
    (source / "below" / "b.dcm").write_bytes(DICOM)
    (source / "broken.dcm").write_bytes(DICOM + b"broken")
    (source / "readme.txt").write_text("no DICOM")
    assert main(["transcode", str(source), str(tmp_path / "out"), *SYNTAX]) == 1
    output = capsys.readouterr()
    assert output.out == "converted 2 files, 1 failed\n"
    assert output.err.splitlines() == [
        f"skipped {source}/readme.txt: is no DICOM file",
        f"failed {source}/broken.dcm: segment 3 is cut (at byte 17)",
    ]
    written = sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.dcm"))
    assert written == ["a.dcm", "below/b.dcm"]


def test_a_folder_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in").mkdir()
    assert main(["transcode", str(tmp_path / "in"), str(tmp_path / "out"), *SYNTAX, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["converted"] == 0


def test_a_source_that_is_not_there_ends_with_two(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["transcode", str(tmp_path / "none"), str(tmp_path / "b"), *SYNTAX]) == 2
    assert capsys.readouterr().err.count("\n") == 1
