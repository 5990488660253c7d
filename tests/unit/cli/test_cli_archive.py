"""The commands that work on an archive of this machine."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from fastdicom import status_file
from fastdicom.cli import delete
from fastdicom.cli.main import main
from fastdicom.reports import ExportReport, ImportReport, NamedPath, RebuildReport, VerifyReport
from tests.support.fake_api import FakeArchive, answer, entry

ARCHIVE = ["--archive", "/store"]


def test_find_takes_keys_as_the_api_does(archive: FakeArchive, capsys: pytest.CaptureFixture[str]) -> None:
    archive.answers = [answer(PatientID="1")]
    assert main(["find", *ARCHIVE, "-k", "0010,0020=1*"]) == 0
    (_, query) = archive.calls[0]
    assert (query["PatientID"], query["StudyInstanceUID"], query["level"]) == ("1*", "", "STUDY")
    assert "PatientID" in capsys.readouterr().out
    assert archive.opened == [(Path("/store"), False)]


def test_find_prints_the_files(archive: FakeArchive, capsys: pytest.CaptureFixture[str]) -> None:
    archive.entries = [entry("1"), entry("2")]
    main(["find", *ARCHIVE, "--paths", "-k", "PatientID=1"])
    assert capsys.readouterr().out == "/store/00000001/1.dcm\n/store/00000001/2.dcm\n"
    main(["find", *ARCHIVE, "--paths", "--json"])
    assert json.loads(capsys.readouterr().out.splitlines()[0]) == {"path": "/store/00000001/1.dcm"}
    assert archive.calls[0] == ("instances", {"level": "STUDY", "model": "STUDY", "PatientID": "1"})


def test_find_explains_itself(archive: FakeArchive, capsys: pytest.CaptureFixture[str]) -> None:
    main(["find", *ARCHIVE, "--explain", "-k", "PatientID=123"])
    assert capsys.readouterr().out.splitlines() == [
        "index key     PatientID (0010,0020), which led to 17",
        "other keys    StudyDate (0008,0020)",
        "rows visited  17 STUDY",
        "answers       3",
        "files read    0",
        "time          0.40 ms",
    ]


def test_import_names_what_it_left_out(archive: FakeArchive, capsys: pytest.CaptureFixture[str]) -> None:
    archive.imported = ImportReport(
        3, 1, 2048, [NamedPath("a", "cut after 12 bytes")], [NamedPath("b", "is no DICOM file")]
    )
    assert main(["import", "cd/", *ARCHIVE]) == 1
    output = capsys.readouterr()
    assert output.err.splitlines() == ["skipped b: is no DICOM file", "failed a: cut after 12 bytes"]
    assert output.out == "imported 3 instances (2.0 KiB), 1 there already, 1 failed, 1 skipped\n"


def test_what_is_no_dicom_is_skipped_and_all_of_it_a_mistake(
    archive: FakeArchive, capsys: pytest.CaptureFixture[str]
) -> None:
    archive.imported = ImportReport(duplicates=1, skipped=[NamedPath("b", "is no DICOM file")])
    assert main(["import", "cd/", *ARCHIVE]) == 0
    archive.imported = ImportReport(skipped=[NamedPath("b", "is no DICOM file")])
    assert main(["import", "cd/", "dvd/", *ARCHIVE]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == "there is no DICOM file in cd/, dvd/"


def test_a_file_is_no_place_for_an_export(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(SystemExit) as ended:
        main(["export", str(tmp_path / "out"), *ARCHIVE])
    assert ended.value.code == 2
    assert "out is a file, not a folder" in capsys.readouterr().err


def test_only_import_makes_an_archive(archive: FakeArchive, capsys: pytest.CaptureFixture[str]) -> None:
    for command in (["import", "cd/"], ["rebuild"], ["verify"], ["delete", "-k", "PatientID=1"], ["find"]):
        main([*command, *ARCHIVE])
    assert [create for _, create in archive.opened] == [True, False, False, False, False]


@pytest.mark.parametrize("command", [["import", "cd/"], ["rebuild"]])
def test_what_indexes_follows_the_configuration(
    archive: FakeArchive, tmp_path: Path, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "node.toml"
    file.write_text('[archive]\npath = "elsewhere"\n[index]\nextra = ["KVP"]\n')
    main([*command, *ARCHIVE, "--config", str(file)])
    (config,) = archive.configs
    assert config is not None
    assert (config.archive.path, config.index.extra[0].keyword) == (Path("/store"), "KVP")


def test_export_passes_keys_on(
    archive: FakeArchive, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive.exported = ExportReport(7, 7 << 20)
    assert main(["export", str(tmp_path / "out"), *ARCHIVE, "-k", "PatientID=1", "-k", "Modality=CT"]) == 0
    assert archive.calls == [("export", {"out": tmp_path / "out", "PatientID": "1", "Modality": "CT"})]
    assert capsys.readouterr().out == "exported 7 instances (7.0 MiB)\n"


@pytest.mark.parametrize(
    ("keys", "level"),
    [
        (["PatientID=1"], "PATIENT"),
        (["PatientID=1", "StudyDate=-20191231"], "STUDY"),
        (["StudyInstanceUID=1.2"], "STUDY"),
        (["StudyInstanceUID=1.2", "Modality=SR"], "SERIES"),
        (["SOPInstanceUID=1.2"], "IMAGE"),
        (["KVP=120"], "IMAGE"),
    ],
)
def test_the_keys_say_at_which_level_to_delete(archive: FakeArchive, keys: list[str], level: str) -> None:
    main(["delete", *ARCHIVE, *(word for key in keys for word in ("-k", key))])
    assert archive.calls[0][1]["level"] == level


def test_delete_goes_on_where_nobody_can_be_asked(
    archive: FakeArchive, capsys: pytest.CaptureFixture[str]
) -> None:
    archive.entries = [entry("1"), entry("2")]
    assert main(["delete", *ARCHIVE, "-k", "PatientID=1"]) == 0
    assert archive.calls == [("delete", {"level": "PATIENT", "dry_run": False, "PatientID": "1"})]
    assert capsys.readouterr().out == "deleted 2 instances of 1 study (2.0 KiB)\n"


@pytest.mark.parametrize(("said", "deleted"), [(True, True), (False, False)])
def test_delete_asks_on_a_terminal(
    archive: FakeArchive, monkeypatch: pytest.MonkeyPatch, said: bool, deleted: bool
) -> None:
    archive.entries = [entry("1", "1.2"), entry("2", "1.3")]
    questions: list[str] = []
    monkeypatch.setattr(delete, "at_terminal", lambda: True)
    monkeypatch.setattr(delete, "confirm", lambda question: questions.append(question) or said)
    assert main(["delete", *ARCHIVE, "-k", "PatientID=1"]) == (0 if deleted else 1)
    assert questions == ["Delete 2 instances of 2 studies (2.0 KiB)?"]
    assert [call["dry_run"] for _, call in archive.calls] == ([True, False] if deleted else [True])


def test_yes_is_not_asked(archive: FakeArchive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delete, "at_terminal", lambda: True)
    monkeypatch.setattr(delete, "confirm", lambda question: pytest.fail("asked"))
    assert main(["delete", *ARCHIVE, "-k", "PatientID=1", "--yes"]) == 0


def test_a_dry_run_deletes_nothing_and_names_what_it_would(
    archive: FakeArchive, capsys: pytest.CaptureFixture[str]
) -> None:
    archive.entries = [entry(str(number)) for number in range(25)]
    main(["delete", *ARCHIVE, "-k", "PatientID=1", "--dry-run"])
    assert [call["dry_run"] for _, call in archive.calls] == [True]
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "1.2  1.2.1  0"
    assert lines[-2:] == ["... and 5 more", "would delete 25 instances of 1 study (24.4 KiB)"]


@pytest.mark.parametrize("key", ["PatientID", "PatientID=", "PatientID=*", "PatientID=**"])
def test_delete_takes_no_key_that_matches_everything(
    archive: FakeArchive, key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["delete", *ARCHIVE, "-k", key]) == 2
    assert archive.calls == []
    assert "matches everything" in capsys.readouterr().err


def test_verify_names_every_fault(archive: FakeArchive, capsys: pytest.CaptureFixture[str]) -> None:
    archive.verified = VerifyReport(9, 9 << 10, [NamedPath("1/a", "checksum differs")], ["1/b"], ["1/c"])
    assert main(["verify", *ARCHIVE]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "damaged 1/a: checksum differs",
        "missing 1/b",
        "not indexed 1/c",
        "checked 9 instances (9.0 KiB): 1 damaged, 1 missing, 1 not indexed",
    ]


def test_verify_of_a_whole_archive_ends_with_zero(
    archive: FakeArchive, capsys: pytest.CaptureFixture[str]
) -> None:
    archive.verified = VerifyReport(1, 10)
    assert main(["verify", *ARCHIVE, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["checked"] == 1


def test_rebuild_tells_what_it_indexed(archive: FakeArchive, capsys: pytest.CaptureFixture[str]) -> None:
    archive.rebuilt = RebuildReport(5, 0, 1 << 30, [NamedPath("1/a", "is no DICOM file")])
    assert main(["rebuild", *ARCHIVE]) == 1
    output = capsys.readouterr()
    assert (output.out, output.err) == (
        "indexed 5 instances (1.0 GiB), 1 failed\n",
        "failed 1/a: is no DICOM file\n",
    )


def test_status_without_a_node(
    archive: FakeArchive, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status", "--archive", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"archive {tmp_path}"
    assert "  instances                   1,234" in lines
    assert "  bytes                       5.0 MiB" in lines
    assert lines[-1] == "node not running"


def test_status_of_a_running_node(
    archive: FakeArchive, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status_file.publish(
        tmp_path,
        {
            "started": 0,
            "addresses": [["127.0.0.1", 104]],
            "counts": {"instances": 7},
            "associations": {"open": 3, "total": 17},
            "received_bytes": 2048,
            "last_errors": [{"time": "12:00", "message": "disk \x1b full"}],
        },
    )
    main(["status", "--archive", str(tmp_path)])
    lines = capsys.readouterr().out.splitlines()
    assert f"node running, process {os.getpid()}, since 1970-01-01" in "\n".join(lines)
    assert "  addresses                   127.0.0.1:104" in lines
    assert not any("counts" in line for line in lines)
    assert "  associations open           3" in lines
    assert "  received bytes              2.0 KiB" in lines
    assert "  last errors                 time 12:00, message disk � full" in lines


def test_status_as_json(archive: FakeArchive, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status_file.publish(tmp_path, {"associations": {"open": 3}})
    main(["status", "--archive", str(tmp_path), "--json"])
    told = json.loads(capsys.readouterr().out)
    assert told["counts"]["instances"] == 1234
    assert (told["node"]["state"], told["node"]["associations"]) == ("running", {"open": 3})


def test_status_finds_the_archive_in_a_configuration(
    archive: FakeArchive, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "node.toml").write_text('[archive]\npath = "images"\n')
    assert main(["status", "--config", str(tmp_path / "node.toml")]) == 0
    assert archive.opened == [(tmp_path / "images", False)]


def test_check_config_names_every_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "node.toml"
    file.write_text("[node]\nprot = 104\n[timeouts]\nidle = 0\n")
    assert main(["check-config", str(file)]) == 2
    assert capsys.readouterr().out.splitlines() == [
        f"{file}:2: node.prot: unknown key; the nearest known is `port`",
        f"{file}:4: timeouts.idle: must be longer than 0, not 0",
    ]
    assert main(["check-config", str(file), "--json"]) == 2
    assert [row["line"] for row in json.loads(capsys.readouterr().out)["mistakes"]] == [2, 4]


def test_check_config_of_a_right_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "node.toml"
    file.write_text('[node]\nae_title = "GATEWAY"\n[[peers]]\nae_title = "A"\n')
    assert main(["check-config", str(file)]) == 0
    assert capsys.readouterr().out == f"{file}: no mistakes (GATEWAY, 1 peer)\n"


def test_check_config_of_no_file_ends_with_two(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check-config", str(tmp_path / "none.toml")]) == 2
    assert "No such file" in capsys.readouterr().out
