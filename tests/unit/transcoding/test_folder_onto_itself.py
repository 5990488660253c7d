"""A folder is not transcoded onto itself: that would replace the only copy of what is in it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

import fastdicom
from fastdicom.cli.main import main


@pytest.fixture
def study(tmp_path: Path) -> Path:
    folder = tmp_path / "study"
    folder.mkdir()
    shutil.copy(get_testdata_file("CT_small.dcm"), folder / "ct.dcm")
    return folder


def test_the_folder_itself_is_refused_and_left_as_it_was(study: Path) -> None:
    before = (study / "ct.dcm").read_bytes()
    with pytest.raises(fastdicom.UsageError, match="its own folder"):
        fastdicom.transcode_folder(study, study, "RLELossless")
    assert (study / "ct.dcm").read_bytes() == before


def test_another_name_of_the_folder_is_refused_too(study: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(study)
    for name in (tmp_path / "link", study / ".." / "study"):
        with pytest.raises(fastdicom.UsageError, match="its own folder"):
            fastdicom.transcode_folder(study, name, "RLELossless")


def test_the_command_ends_with_2(study: Path) -> None:
    before = (study / "ct.dcm").read_bytes()
    assert main(["transcode", str(study), str(study), "--transfer-syntax", "RLELossless"]) == 2
    assert (study / "ct.dcm").read_bytes() == before


def test_a_file_found_by_way_of_a_folder_within_is_not_overwritten(study: Path) -> None:
    report = fastdicom.transcode_folder(study, study / "rle", "RLELossless")
    assert (report.converted, (study / "rle" / "ct.dcm").exists()) == (1, True)
