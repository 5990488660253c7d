"""Putting, replacing, deleting: what the index says afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastdicom.dataset.attributes import ATTRIBUTES, Attribute
from fastdicom.dataset.record import Added, Delete, Deleted, Kept, Replaced
from fastdicom.errors import UsageError
from fastdicom.index import environment
from fastdicom.index.environment import Counts, Index
from tests.support.answers import found
from tests.support.asking import ask
from tests.support.records import put

STUDY_KEYS = {"StudyInstanceUID": "", "PatientID": "", "PatientName": ""}


def test_an_empty_index_has_nothing(index: Index) -> None:
    assert index.counts() == Counts(0, 0, 0, 0, 0)
    assert index.get("1.2") is None
    assert found(index, ask("STUDY", **STUDY_KEYS)) == []
    assert list(index.instances(ask("STUDY", StudyInstanceUID="1.2"))) == []


def test_what_was_put_is_found_at_every_level(index: Index) -> None:
    assert index.apply([put("1.1", "2.1", "3.1", PatientID="P1", Modality="CT", size=77)]) == [Added()]
    assert index.counts() == Counts(1, 1, 1, 1, 77)
    for level, key in (
        ("STUDY", "StudyInstanceUID"),
        ("SERIES", "SeriesInstanceUID"),
        ("IMAGE", "SOPInstanceUID"),
    ):
        (answer,) = found(
            index, ask(level, StudyInstanceUID="3.1", **({} if level == "STUDY" else {key: ""}))
        )
        assert answer.QueryRetrieveLevel == level
    entry = index.get("1.1")
    assert entry is not None
    assert (entry.study_instance_uid, entry.series_instance_uid) == ("3.1", "2.1")
    assert entry.file == put("1.1", "2.1", "3.1", size=77).file
    assert index.at_path("b0/1.1.dcm") == entry


def test_a_duplicate_is_kept_or_replaces(index: Index) -> None:
    first = put("1.1", "2.1", "3.1", path="b0/a.dcm")
    again = put("1.1", "2.1", "3.1", path="b0/b.dcm", size=5)
    assert index.apply([first]) == [Added()]
    assert index.apply([again]) == [Kept(first.file)]
    assert index.trash() == []
    assert index.apply([put("1.1", "2.1", "3.1", path="b0/b.dcm", size=5, replace=True)]) == [
        Replaced(first.file)
    ]
    assert index.trash() == ["b0/a.dcm"]
    assert index.counts() == Counts(1, 1, 1, 1, 5)
    index.forget_trash(["b0/a.dcm"])
    assert index.trash() == []
    assert list(index.paths()) == ["b0/b.dcm"]


def test_duplicates_inside_one_batch_are_seen(index: Index) -> None:
    a, b = put("1.1", "2.1", "3.1", path="b0/a.dcm"), put("1.1", "2.1", "3.1", path="b0/b.dcm")
    assert index.apply([a, b]) == [Added(), Kept(a.file)]
    assert index.counts().instances == 1


def test_a_duplicate_from_another_study_stays_or_moves(index: Index) -> None:
    index.apply(
        [put("1.1", "2.1", "3.1", path="b0/a.dcm", PatientID="P1"), put("1.2", "2.1", "3.1", PatientID="P1")]
    )
    index.apply([put("1.1", "2.9", "3.9", path="b0/b.dcm", PatientID="P9")])
    assert index.counts() == Counts(1, 1, 1, 2, 2000)
    index.apply([put("1.1", "2.9", "3.9", path="b0/b.dcm", PatientID="P9", replace=True)])
    assert index.counts() == Counts(2, 2, 2, 2, 2000)
    answers = found(index, ask("STUDY", **STUDY_KEYS, NumberOfStudyRelatedInstances=""))
    assert {(a.PatientID, a.StudyInstanceUID, a.NumberOfStudyRelatedInstances) for a in answers} == {
        ("P1", "3.1", 1),
        ("P9", "3.9", 1),
    }


def test_moving_the_last_instance_takes_the_old_study_along(index: Index) -> None:
    index.apply([put("1.1", "2.1", "3.1", path="b0/a.dcm", PatientID="P1")])
    index.apply([put("1.1", "2.9", "3.9", path="b0/b.dcm", PatientID="P9", replace=True)])
    assert index.counts() == Counts(1, 1, 1, 1, 1000)
    assert found(index, ask("STUDY", PatientID="P1")) == []


def test_the_first_instance_describes_the_study_until_one_is_replaced(index: Index) -> None:
    index.apply([put("1.1", "2.1", "3.1", PatientID="P1", StudyDescription="FIRST")])
    index.apply([put("1.2", "2.1", "3.1", PatientID="P2", StudyDescription="SECOND")])
    (answer,) = found(index, ask("STUDY", StudyDescription="", PatientID=""))
    assert (answer.StudyDescription, answer.PatientID) == ("FIRST", "P1")
    index.apply(
        [put("1.2", "2.1", "3.1", path="b0/new.dcm", PatientID="P2", StudyDescription="SECOND", replace=True)]
    )
    (answer,) = found(index, ask("STUDY", StudyDescription="", PatientID=""))
    assert (answer.StudyDescription, answer.PatientID) == ("SECOND", "P2")
    (patient,) = found(index, ask("PATIENT", "PATIENT", PatientID="", NumberOfPatientRelatedInstances=""))
    assert (patient.PatientID, patient.NumberOfPatientRelatedInstances) == ("P2", 2)


def test_old_keys_do_not_find_a_replaced_study(index: Index) -> None:
    index.apply([put("1.1", "2.1", "3.1", path="b0/a.dcm", PatientID="P1", AccessionNumber="OLD")])
    index.apply(
        [put("1.1", "2.1", "3.1", path="b0/b.dcm", PatientID="P1", AccessionNumber="NEW", replace=True)]
    )
    assert found(index, ask("STUDY", AccessionNumber="OLD")) == []
    assert len(found(index, ask("STUDY", AccessionNumber="NEW"))) == 1


def test_the_same_series_uid_in_two_studies_is_two_series(index: Index) -> None:
    index.apply([put("1.1", "2.1", "3.1"), put("1.2", "2.1", "3.2")])
    assert index.counts().series == 2
    (one,) = found(
        index,
        ask("SERIES", StudyInstanceUID="3.2", SeriesInstanceUID="2.1", NumberOfSeriesRelatedInstances=""),
    )
    assert one.NumberOfSeriesRelatedInstances == 1
    assert len(list(index.instances(ask("SERIES", SeriesInstanceUID="2.1")))) == 2


def test_the_last_instance_takes_series_study_and_patient_along(index: Index) -> None:
    index.apply([put("1.1", "2.1", "3.1", PatientID="P"), put("1.2", "2.2", "3.1", PatientID="P")])
    assert index.apply([Delete("1.1")]) == [Deleted(put("1.1", "2.1", "3.1").file)]
    assert index.counts() == Counts(1, 1, 1, 1, 1000)
    assert index.trash() == ["b0/1.1.dcm"]
    index.apply([Delete("1.2"), Delete("1.2"), Delete("unknown")])
    assert index.counts() == Counts(0, 0, 0, 0, 0)
    assert found(index, ask("PATIENT", "PATIENT", PatientID="")) == []


def test_patients_without_an_id_are_not_merged(index: Index) -> None:
    index.apply([put("1.1", "2.1", "3.1", PatientName="A"), put("1.2", "2.2", "3.2", PatientName="B")])
    index.apply([put("1.3", "2.3", "3.2", PatientName="B", PatientID="  ")])
    assert index.counts().patients == 2
    names = {str(answer.PatientName) for answer in found(index, ask("PATIENT", "PATIENT", PatientName=""))}
    assert names == {"A", "B"}


def test_the_same_id_of_two_issuers_is_two_patients(index: Index) -> None:
    index.apply([put("1.1", "2.1", "3.1", PatientID="7 ", IssuerOfPatientID="A")])
    index.apply([put("1.2", "2.2", "3.2", PatientID="7", IssuerOfPatientID="B")])
    index.apply([put("1.3", "2.3", "3.3", PatientID=" 7", IssuerOfPatientID="B ")])
    assert index.counts().patients == 2
    assert len(found(index, ask("PATIENT", "PATIENT", PatientID="7"))) == 2


def test_a_row_without_its_uids_is_given_them(index: Index) -> None:
    one = put("1.1", "2.1", "3.1")
    bare = type(one.record)(one.record.sop_class_uid, "1.1", "3.1", "2.1", b"", b"", b"", b"")
    index.apply([type(one)(bare, one.file)])
    (answer,) = found(
        index, ask("IMAGE", StudyInstanceUID="3.1", SeriesInstanceUID="2.1", SOPInstanceUID="1.1")
    )
    assert (answer.StudyInstanceUID, answer.SeriesInstanceUID, answer.SOPInstanceUID) == ("3.1", "2.1", "1.1")
    assert index.apply([Delete("1.1")]) == [Deleted(one.file)]
    assert index.counts().studies == 0


def test_indexing_a_file_again_does_not_condemn_it(index: Index) -> None:
    index.apply([put("1.1", "2.1", "3.1")])
    assert index.apply([put("1.1", "2.1", "3.1")]) == [Added()]
    assert index.apply([put("1.1", "2.1", "3.1", replace=True)]) == [Added()]
    assert index.trash() == []
    assert index.counts() == Counts(1, 1, 1, 1, 1000)


def test_long_and_odd_values_are_keys_too(index: Index) -> None:
    index.apply(
        [put("1." + "1" * 300, "2.1", "3." + "2" * 600, PatientID="P" * 5000, PatientName="N" * 9000)]
    )
    assert index.get("1." + "1" * 300) is not None
    assert len(found(index, ask("STUDY", PatientID="P" * 5000))) == 1
    assert found(index, ask("STUDY", PatientID="P" * 5001)) == []
    index.apply([Delete("1." + "1" * 300)])
    assert index.counts() == Counts(0, 0, 0, 0, 0)


def test_notes_share_the_transaction(index: Index) -> None:
    index.apply([put("1.1", "2.1", "3.1")], {"sealed/b0": b"1", "other": b"2"})
    assert index.notes("sealed/") == {"sealed/b0": b"1"}
    index.note("sealed/b0", None)
    assert index.notes() == {"other": b"2"}


def test_paths_by_prefix(index: Index) -> None:
    index.apply([put(f"1.{n}", "2.1", "3.1", path=f"b{n % 3}/{n:05}.dcm") for n in range(4000)])
    assert list(index.paths("b1/")) == [f"b1/{n:05}.dcm" for n in range(1, 4000, 3)]
    assert sum(1 for _ in index.paths()) == 4000


def test_a_selection_is_a_snapshot_that_holds_none(index: Index) -> None:
    index.apply([put(f"1.{n}", "2.1", "3.1") for n in range(200)])
    chosen = index.instances(ask("STUDY", StudyInstanceUID="3.1"))
    index.apply([put("1.999", "2.1", "3.1"), Delete("1.150")])
    assert len(chosen) == 200
    assert [entry.sop_instance_uid for entry in chosen] == [f"1.{n}" for n in range(200) if n != 150]
    assert chosen.vanished == 1
    assert chosen[-1].sop_instance_uid == "1.199"
    assert [entry.sop_instance_uid for entry in chosen[149:152]] == ["1.149", "1.151"]
    with pytest.raises(LookupError):
        chosen[150]


def test_a_query_sees_one_snapshot(index: Index) -> None:
    index.apply([put(f"1.{n}", f"2.{n}", f"3.{n}") for n in range(100)])
    answers = index.find(ask("STUDY", StudyInstanceUID=""))
    next(answers)
    index.apply([put(f"1.{n}", f"2.{n}", f"3.{n}") for n in range(100, 200)])
    assert 1 + sum(answer is not None for answer in answers) == 100


def test_entries_are_all_instances(index: Index) -> None:
    index.apply([put(f"1.{n}", f"2.{n % 7}", "3.1") for n in range(300)])
    assert {entry.sop_instance_uid for entry in index.entries()} == {f"1.{n}" for n in range(300)}


def test_a_newer_index_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "VERSION", 99)
    Index.open(tmp_path).close()
    monkeypatch.undo()
    with pytest.raises(UsageError, match="version 99, newer than"):
        Index.open(tmp_path)


def test_reading_needs_an_index(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no index"):
        Index.open(tmp_path / "nothing", readonly=True)


def test_attributes_that_rows_lack_are_not_answered_from_them(tmp_path: Path) -> None:
    Index.open(tmp_path).close()
    more = (*ATTRIBUTES, Attribute(0x00180022, "CS", "ScanOptions", "SERIES"))
    with Index.open(tmp_path, attributes=more) as index:
        assert index.lacking == more[-1:]
        assert index.attributes == ATTRIBUTES
    with Index.open(tmp_path / "fresh", attributes=more) as index:
        assert not index.lacking
        assert index.attributes == more
    with Index.open(tmp_path / "fresh") as index:  # whoever opens it knows what it holds
        assert not index.lacking
        assert index.attributes == more
    elsewhere = (*ATTRIBUTES, Attribute(0x00180022, "CS", "ScanOptions", "IMAGE"))
    with Index.open(tmp_path / "fresh", attributes=elsewhere) as index:
        assert index.lacking == elsewhere[-1:]


def test_it_can_be_opened_anew(index: Index) -> None:
    index.apply([put("1.1", "2.1", "3.1")])
    index.reopen()
    assert index.counts().instances == 1
    index.apply([put("1.2", "2.1", "3.1")])
    assert index.counts().instances == 2
