"""`fastdicom retention` and `fastdicom protect`, on a real archive."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from fastdicom import Config
from fastdicom.cli.main import main
from fastdicom.keeper import open_keeper
from fastdicom.protection import FILE_NAME
from tests.support.archives import DAY, Filler


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    """--archive with three studies, two of them old, and --config with a rule."""
    with open_keeper(tmp_path / "archive", Config(archive=tmp_path / "archive")) as keeper:
        for number, age in enumerate((50, 40, 1)):
            Filler(keeper).study(f"1.{number}", received=time.time() - age * DAY, patient=f"P{number}")
    (tmp_path / "node.toml").write_text('[retention]\nmax_age = "30 d"\n')
    return ["--archive", str(tmp_path / "archive"), "--config", str(tmp_path / "node.toml")]


def test_a_dry_run_shows_and_deletes_nothing(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        assert main(["retention", *arguments, "--dry-run"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert [line.split()[-1] for line in lines[1:3]] == ["1.0", "1.1"]
        assert lines[3].startswith("would delete 2 studies of 2 instances (")


def test_it_deletes_what_it_showed(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["retention", *arguments, "--yes", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert [(study["study_instance_uid"], study["rule"]) for study in report["studies"]] == [
        ("1.0", "age"),
        ("1.1", "age"),
    ]
    assert main(["retention", *arguments, "--yes"]) == 0
    assert capsys.readouterr().out == "deleted 0 studies of 0 instances (0 B)\n"


def test_protected_ones_stay(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    archive = arguments[:2]
    assert main(["protect", *archive]) == 0
    assert main(["protect", *archive, "--patient", "P0", "--study", "1.9"]) == 0
    assert main(["protect", *archive, "--study", "1.9", "--remove"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "nobody is protected",
        "patient P0",
        "study 1.9",
        "patient P0",
    ]
    assert main(["retention", *arguments, "--yes"]) == 0
    assert "1.0" not in capsys.readouterr().out
    assert main(["protect", *archive, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"patients": ["P0"], "studies": []}


def test_what_makes_no_sense_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["retention", *arguments[:2]]) == 2
    assert "no rule in [retention]" in capsys.readouterr().err
    assert main(["protect", *arguments[:2], "--remove"]) == 2
    assert main(["protect", "--archive", "/nowhere"]) == 2


@pytest.mark.parametrize("named", [["--study", "../x"], ["--study", "1." + "2" * 63], ["--patient", " "]])
def test_only_what_can_be_an_id_is_protected(
    arguments: list[str], named: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    archive = arguments[:2]
    assert main(["protect", *archive, *named]) == 2
    said = capsys.readouterr().err
    assert "is no UID" in said or "must not be empty" in said
    assert main(["protect", *archive]) == 0
    assert capsys.readouterr().out == "nobody is protected\n"


def test_what_an_older_version_protected_can_be_taken_back(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (Path(arguments[1]) / FILE_NAME).write_text('{"patients": [], "studies": ["../x"]}')
    assert main(["protect", *arguments[:2], "--study", "../x", "--remove"]) == 0
    assert capsys.readouterr().out == "nobody is protected\n"
