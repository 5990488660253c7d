"""An archive in a program's hands: import, find, export, delete, verify, rebuild."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from fastdicom import Archive, Config, Engine, UsageError, connect
from fastdicom.archive.layout import block_names
from fastdicom.archive_folder import lock_folder
from fastdicom.cli.main import main
from tests.support.datasets import numbered_uids, synthetic
from tests.support.part10 import join

CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
EXPLICIT = "1.2.840.10008.1.2.1"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    for number in range(6):
        uids = numbered_uids(1, number, series=number % 3, study=number % 2)
        class_uid = (CT, MR)[number % 2]
        data = synthetic(class_uid, EXPLICIT, uids, size=2048)
        (folder / f"{number}.dcm").write_bytes(join(data, class_uid, uids.instance, EXPLICIT))
    (folder / "notes.txt").write_text("no DICOM")
    return folder


@pytest.fixture
def archive(tmp_path: Path, files: Path) -> Archive:
    made = Archive(tmp_path / "archive", create=True)
    report = made.import_paths([files])
    assert (report.imported, len(report.skipped), report.failed) == (6, 1, [])
    return made


def test_importing_again_keeps_the_first(archive: Archive, files: Path) -> None:
    report = archive.import_paths([files])
    assert (report.imported, report.duplicates) == (0, 6)
    assert archive.counts().instances == 6 and archive.verify().ok


def test_replace_takes_the_second(tmp_path: Path, files: Path, archive: Archive) -> None:
    archive.close()
    config = Config(archive={"path": tmp_path / "archive", "duplicates": "replace"})
    with Archive(tmp_path / "archive", config=config) as replacing:
        assert replacing.import_paths([files]).imported == 6
        assert replacing.counts().instances == 6 and replacing.verify().ok


def test_no_archive_is_said_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no archive"):
        Archive(tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_export_gives_every_byte_of_the_data_set(archive: Archive, tmp_path: Path) -> None:
    report = archive.export(tmp_path / "out")
    assert (report.exported, report.failed) == (6, [])
    for entry in archive.instances():
        path = tmp_path / "out" / entry.study_instance_uid / entry.series_instance_uid
        assert (path / f"{entry.sop_instance_uid}.dcm").read_bytes() == archive.path_of(entry).read_bytes()


def test_deleting_by_level_takes_empty_parents_along(archive: Archive) -> None:
    before = archive.counts()
    study = next(iter(archive.find("STUDY", StudyInstanceUID=""))).StudyInstanceUID
    planned = archive.delete(StudyInstanceUID=study, dry_run=True)
    assert archive.counts() == before
    done = archive.delete(StudyInstanceUID=study)
    assert done.instances == planned.instances == 3
    after = archive.counts()
    assert (after.studies, after.instances) == (before.studies - 1, 3)
    assert archive.verify().ok


def test_deleting_needs_a_key_that_says_what(archive: Archive) -> None:
    with pytest.raises(UsageError):
        archive.delete(PatientID="")


def test_verify_names_what_is_damaged_missing_and_unindexed(archive: Archive) -> None:
    paths = [archive.path_of(entry) for entry in archive.instances()]
    whole = paths[0].read_bytes()
    paths[0].write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    paths[1].write_bytes(paths[1].read_bytes()[:-2])
    paths[2].unlink()
    stray = paths[3].with_name("ffff.dcm")
    stray.write_bytes(b"stray")
    report = archive.verify()
    assert [damaged.path for damaged in report.damaged] == paths[:2]
    assert "checksum" in report.damaged[0].reason and "bytes" in report.damaged[1].reason
    assert report.missing == [paths[2]] and report.orphans == [stray]
    assert not report.ok


def test_rebuilding_gives_the_same_answers(archive: Archive) -> None:
    def answers() -> list[str]:
        return sorted(str(found) for found in archive.find("IMAGE", SOPInstanceUID="", InstanceNumber=""))

    before = answers()
    counts = archive.counts()
    report = archive.rebuild()
    assert (report.indexed, report.failed) == (6, [])
    assert answers() == before and archive.counts() == counts and archive.verify().ok


def test_an_index_that_is_garbage_can_be_rebuilt(archive: Archive) -> None:
    archive.close()
    for name in (archive.path / "index").iterdir():
        name.write_bytes(b"garbage" * 1000)
    assert archive.rebuild().indexed == 6
    assert archive.counts().instances == 6


def test_rebuilding_while_somebody_else_writes_is_refused(archive: Archive) -> None:
    others = lock_folder(archive.path, exclusive=False)
    with pytest.raises(UsageError, match="in use"):
        archive.rebuild()
    os.close(others)
    assert archive.rebuild().indexed == 6


def test_files_lie_where_no_uid_has_a_say(archive: Archive) -> None:
    assert block_names(archive.path / "objects") == ["00000001"]
    files = sorted((archive.path / "objects" / "00000001").iterdir())
    assert [path.name for path in files] == [f"{number:04x}.dcm" for number in range(1, 9)]
    assert [path.stat().st_size > 0 for path in files] == [True] * 6 + [False] * 2  # two were made ahead


def test_start_up_never_deletes_a_file_that_it_cannot_read(archive: Archive) -> None:
    """A cut file of an acknowledged instance stays, through rebuild and start, for `verify` to name."""
    path = archive.path_of(archive.instances()[0])
    path.write_bytes(path.read_bytes()[:-10])
    report = archive.rebuild()
    assert (report.indexed, [failed.path for failed in report.failed]) == (5, [path])
    archive.close()
    with Engine(Config(port=0, archive=archive.path)):
        pass
    assert path.exists()
    assert archive.verify().orphans == [path]


def test_rebuilding_takes_the_later_of_two_where_duplicates_replace(tmp_path: Path, files: Path) -> None:
    config = Config(archive={"path": tmp_path / "archive", "duplicates": "replace"})
    with Archive(tmp_path / "archive", config=config, create=True) as archive:
        archive.import_paths([files])
        first = {entry.sop_instance_uid: archive.path_of(entry) for entry in archive.instances()}
        kept = {path: path.read_bytes() for path in first.values()}
        archive.import_paths([files])
        second = {entry.sop_instance_uid: archive.path_of(entry) for entry in archive.instances()}
        for path, content in kept.items():  # as after a crash before the unlink, with the trash lost
            path.write_bytes(content)
        archive.close()
        for name in (tmp_path / "archive" / "index").iterdir():
            name.write_bytes(b"garbage" * 1000)
        archive.rebuild()
        assert {entry.sop_instance_uid: archive.path_of(entry) for entry in archive.instances()} == second


@pytest.mark.parametrize("uid", ["..", ".1", "1.", "1..2"])
def test_a_uid_with_an_empty_component_is_refused(archive: Archive, tmp_path: Path, uid: str) -> None:
    uids = numbered_uids(9, 1)
    data = synthetic(CT, EXPLICIT, replace(uids, series=uid), size=512)
    path = tmp_path / "climber.dcm"
    path.write_bytes(join(data, CT, uids.instance, EXPLICIT))
    (failed,) = archive.import_paths([path]).failed
    assert "empty component" in failed.reason


def test_a_cut_file_is_not_sent(archive: Archive, tmp_path: Path) -> None:
    entry = archive.instances()[0]
    path = archive.path_of(entry)
    path.write_bytes(path.read_bytes()[:-10])
    everything = {"unknown_peers": ["echo", "store", "find", "move", "get"]}
    archive.close()
    with (
        Engine(Config(port=0, archive=archive.path, access=everything)) as engine,
        connect(*engine.addresses[0]) as peer,
    ):
        report = peer.get(tmp_path / "got", level="STUDY", StudyInstanceUID=entry.study_instance_uid)
    assert report.failed_sop_instance_uids == [entry.sop_instance_uid]
    assert (report.status, report.failed, report.completed) == (0xB000, 1, 2)


def test_the_command_line_explains_how_an_archive_answers(
    archive: Archive, capsys: pytest.CaptureFixture[str]
) -> None:
    archive.close()
    keys = ["-k", "PatientName=MUSTER*", "-k", "StudyDate=20240131", "-k", "Modality=CT", "-k", "KVP"]
    assert main(["find", "--archive", str(archive.path), "--explain", *keys]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:6] == [
        "index key     PatientName (0010,0010), which led to 2",
        "other keys    StudyDate (0008,0020)",
        "not matched   Modality (0008,0060)",
        "rows visited  2 STUDY",
        "answers       2",
        "files read    2",
    ]
    assert lines[6].startswith("time")
    assert main(["find", "--archive", str(archive.path), "--explain", "-k", "StudyDescription=*Abd*"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["index key     none: all rows were read", "rows visited  2 STUDY"]


def test_rebuilding_adds_the_attributes_that_the_configuration_names(
    archive: Archive, caplog: pytest.LogCaptureFixture
) -> None:
    config = Config(archive=archive.path, index={"extra": ["SERIES/SliceThickness"]})
    archive.close()
    seen: list[tuple[int, int | None]] = []
    with Archive(archive.path, config=config) as more:
        assert [study.StudyID for study in more.find(SliceThickness="9", StudyID="")]  # not matched yet
        assert "made without SERIES/SliceThickness" in caplog.text and "fastdicom rebuild" in caplog.text
        report = more.rebuild(lambda progress: seen.append((progress.done, progress.total)))
        assert report.indexed == 6 and seen[-1] == (6, 6)
        caplog.clear()
        assert not list(more.find("SERIES", SliceThickness="9"))
        assert len(list(more.find("SERIES", SliceThickness="1"))) == 6
        assert more.explain("SERIES", SliceThickness="1").files_read == 0
    assert not caplog.text
    with Archive(archive.path) as archive:  # who has no configuration keeps what is there
        archive.rebuild()
        assert not list(archive.find("SERIES", SliceThickness="9"))
