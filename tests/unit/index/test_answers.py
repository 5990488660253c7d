"""What answers hold: attributes, sequences, character sets, encodings; and how they are produced."""

from __future__ import annotations

import gc
from collections.abc import Mapping
from collections.abc import Sequence as Tags
from pathlib import Path

import pytest
from pydicom import Dataset

from fastdicom.dataset.attributes import ATTRIBUTES, BY_KEYWORD, Attribute
from fastdicom.dataset.identifier import decode_identifier
from fastdicom.dataset.recoded import element
from fastdicom.dataset.record import StoredEntry
from fastdicom.errors import Refused, Unavailable
from fastdicom.index.environment import Index
from fastdicom.standard.transfer_syntaxes import (
    EXPLICIT_VR_LITTLE_ENDIAN,
)
from tests.support.answers import found, read
from tests.support.asking import SYNTAXES, ask, encoded, query
from tests.support.records import put

CODE = {BY_KEYWORD["StudyDescription"]: "x"}
CODE_VALUE = Attribute(0x00080100, "SH", "CodeValue", "")
CODE_MEANING = Attribute(0x00080104, "LO", "CodeMeaning", "")
SCHEME = Attribute(0x00080102, "SH", "CodingSchemeDesignator", "")
ROWS = Attribute(0x00280010, "US", "Rows", "")
INNER = Attribute(0x00081140, "SQ", "ReferencedImageSequence", "")


def code(value: str, meaning: str) -> dict[Attribute, object]:
    inner = [{CODE_VALUE: "inner", ROWS: 7}]
    return {CODE_VALUE: value, SCHEME: "99X", CODE_MEANING: meaning, ROWS: 513, INNER: inner}


def answer_bytes(index: Index, dataset: Dataset, syntax: str = EXPLICIT_VR_LITTLE_ENDIAN) -> list[bytes]:
    identifier = decode_identifier(encoded(dataset, syntax), syntax, "STUDY")
    return [answer for answer in index.find(identifier) if answer]


def answers_to(index: Index, dataset: Dataset, syntax: str = EXPLICIT_VR_LITTLE_ENDIAN) -> list[Dataset]:
    return [read(answer, syntax) for answer in answer_bytes(index, dataset, syntax)]


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_every_encoding_carries_the_same(index: Index, syntax: str) -> None:
    index.apply(
        [
            put(
                "1.1",
                "2.1",
                "3.1",
                PatientName="DOE^JANE",
                PregnancyStatus=4,
                Rows=513,
                PatientID="odd",
                ProcedureCodeSequence=[code("A", "first"), code("B", "second")],
            )
        ]
    )
    asked = query(
        PatientName="", PatientID="", PregnancyStatus=None, ProcedureCodeSequence=[], StudyInstanceUID=""
    )
    (answer,) = answers_to(index, asked, syntax)
    assert (answer.PatientName, answer.PatientID, answer.PregnancyStatus) == ("DOE^JANE", "odd", 4)
    assert [item.CodeMeaning for item in answer.ProcedureCodeSequence] == ["first", "second"]
    item = answer.ProcedureCodeSequence[0]
    assert item.Rows == 513
    assert (item.ReferencedImageSequence[0].CodeValue, item.ReferencedImageSequence[0].Rows) == ("inner", 7)
    assert [element.tag for element in answer] == sorted(element.tag for element in answer)
    for data in answer_bytes(index, asked, syntax):
        assert len(data) % 2 == 0


def test_what_every_answer_holds(index: Index) -> None:
    index.apply([put("1.1", "2.1", "3.1")])
    (answer,) = found(index, ask("STUDY", PatientName="", AccessionNumber=""), retrieve_ae_title="NODE")
    assert answer.QueryRetrieveLevel == "STUDY"
    assert answer.InstanceAvailability == "ONLINE"
    assert answer.RetrieveAETitle == "NODE"
    assert answer.SpecificCharacterSet
    assert answer.PatientName == "" and answer.AccessionNumber == ""  # asked for, but unknown
    assert "StudyDate" not in answer  # not asked for


def test_all_counted_attributes(index: Index) -> None:
    index.apply(
        [
            put("1.1", "2.1", "3.1", PatientID="P", Modality="CT"),
            put("1.2", "2.2", "3.1", PatientID="P", Modality="SR"),
            put("1.3", "2.2", "3.1", PatientID="P", sop_class="1.2.3"),
            put("1.4", "2.4", "3.2", PatientID="P"),
        ]
    )
    keys = dict.fromkeys(
        (
            "NumberOfPatientRelatedStudies",
            "NumberOfPatientRelatedSeries",
            "NumberOfPatientRelatedInstances",
            "NumberOfStudyRelatedSeries",
            "NumberOfStudyRelatedInstances",
            "NumberOfSeriesRelatedInstances",
            "ModalitiesInStudy",
            "SOPClassesInStudy",
        ),
        "",
    )
    (answer,) = found(index, ask("SERIES", StudyInstanceUID="3.1", SeriesInstanceUID="2.2", **keys))
    assert answer.NumberOfPatientRelatedStudies == 2
    assert answer.NumberOfPatientRelatedSeries == 3
    assert answer.NumberOfPatientRelatedInstances == 4
    assert answer.NumberOfStudyRelatedSeries == 2
    assert answer.NumberOfStudyRelatedInstances == 3
    assert answer.NumberOfSeriesRelatedInstances == 2
    assert set(answer.ModalitiesInStudy) == {"CT", "SR"}
    assert set(answer.SOPClassesInStudy) == {"1.2.840.10008.5.1.4.1.1.2", "1.2.3"}


def test_a_sequence_key_finds_and_shapes_items(index: Index) -> None:
    index.apply(
        [
            put("1.1", "2.1", "3.1", ProcedureCodeSequence=[code("A", "first"), code("B", "second")]),
            put("1.2", "2.2", "3.2", ProcedureCodeSequence=[code("C", "third")]),
            put("1.3", "2.3", "3.3", ProcedureCodeSequence=[]),
            put("1.4", "2.4", "3.4"),
        ]
    )
    asked = ask("STUDY", StudyInstanceUID="", ProcedureCodeSequence={"CodeValue": "B", "CodeMeaning": ""})
    (answer,) = found(index, asked)
    assert answer.StudyInstanceUID == "3.1"
    (item,) = answer.ProcedureCodeSequence
    assert (item.CodeValue, item.CodeMeaning) == ("B", "second")
    assert len(item) == 2  # only what was asked for


@pytest.mark.parametrize(
    ("keys", "matched"),
    [
        ({"CodeValue": "A"}, {"3.1"}),
        ({"CodeValue": "A", "CodeMeaning": "second"}, set()),  # of one item, not of two
        ({"CodeValue": "?"}, {"3.1", "3.2"}),
        ({"CodeValue": ["A", "C"]}, {"3.1", "3.2"}),
        ({"Rows": "513"}, {"3.1", "3.2"}),
        ({"CodeValue": "", "CodeMeaning": ""}, {"3.1", "3.2", "3.3"}),
        ({"ReferencedImageSequence": {"CodeValue": "inn*"}}, {"3.1", "3.2"}),
        ({"ReferencedImageSequence": {"CodeValue": "outer"}}, set()),
        ({}, {"3.1", "3.2", "3.3"}),
    ],
)
def test_sequences_match_item_by_item(index: Index, keys: dict[str, object], matched: set[str]) -> None:
    index.apply(
        [
            put("1.1", "2.1", "3.1", ProcedureCodeSequence=[code("A", "first"), code("B", "second")]),
            put("1.2", "2.2", "3.2", ProcedureCodeSequence=[code("C", "third")]),
            put("1.3", "2.3", "3.3"),
        ]
    )
    answers = found(index, ask("STUDY", StudyInstanceUID="", ProcedureCodeSequence=[keys]))
    assert {answer.StudyInstanceUID for answer in answers} == matched


def test_a_sequence_key_with_two_items_is_refused(index: Index) -> None:
    with pytest.raises(Refused) as caught:
        index.find(ask("STUDY", ProcedureCodeSequence=[{"CodeValue": "A"}, {"CodeValue": "B"}]))
    assert caught.value.status == 0xA900


# Character sets.

STORED = [
    ("ISO_IR 100", "latin-1", "Buc^Jérôme"),
    ("ISO_IR 144", "iso8859-5", "Люкceмбypг"),
    ("ISO_IR 192", "utf-8", "Wang^XiaoDong=王^小东"),
    ("GB18030", "gb18030", "Wang^XiaoDong=王^小东"),
    ("", "ascii", "PLAIN^NAME"),
]


@pytest.mark.parametrize(("stored", "codec", "name"), STORED)
@pytest.mark.parametrize("asked", [None, "ISO_IR 100", "ISO_IR 144", "ISO_IR 192", "GBK", "\\ISO 2022 IR 87"])
def test_any_set_asks_for_any_set(
    index: Index, stored: str, codec: str, name: str, asked: str | None
) -> None:
    index.apply([put("1.1", "2.1", "3.1", PatientName=name, charset=stored, codec=codec)])
    dataset = query(PatientName="", StudyInstanceUID="")
    if asked is not None:
        dataset.SpecificCharacterSet = asked.split("\\") if "\\" in asked else asked
    (answer,) = answers_to(index, dataset)
    assert str(answer.PatientName) == name
    told = answer.SpecificCharacterSet
    told = "\\".join(told) if not isinstance(told, str) else told
    assert told in ({asked, "ISO_IR 192"} if asked else {"ISO_IR 100", "ISO_IR 192"})


def test_the_answer_is_in_the_askers_set_when_it_can_be(index: Index) -> None:
    index.apply([put("1.1", "2.1", "3.1", PatientName="Jérôme", charset="ISO_IR 192", codec="utf-8")])
    (data,) = answer_bytes(index, query(SpecificCharacterSet="ISO_IR 100", PatientName=""))
    assert "Jérôme".encode("latin-1") in data and b"ISO_IR 100" in data
    (data,) = answer_bytes(index, query(SpecificCharacterSet="ISO_IR 144", PatientName=""))
    assert "Jérôme".encode() in data and b"ISO_IR 192" in data


def test_a_key_in_one_set_finds_data_in_another(index: Index) -> None:
    index.apply([put("1.1", "2.1", "3.1", PatientName="Люкceмбypг", charset="ISO_IR 144", codec="iso8859-5")])
    for charset, codec in (("ISO_IR 192", "utf-8"), ("ISO_IR 144", "iso8859-5")):
        dataset = query(SpecificCharacterSet=charset)
        dataset.add_new(0x00100010, "PN", "люк*".encode(codec))
        assert len(answers_to(index, dataset)) == 1


def test_sequences_are_told_in_the_askers_set(index: Index) -> None:
    row = put(
        "1.1",
        "2.1",
        "3.1",
        charset="ISO_IR 192",
        codec="utf-8",
        ProcedureCodeSequence=[{CODE_MEANING: "Köpfe"}],
    )
    index.apply([row])
    for charset in ("ISO_IR 100", "ISO_IR 144"):
        (answer,) = answers_to(index, query(SpecificCharacterSet=charset, ProcedureCodeSequence=[]))
        assert answer.ProcedureCodeSequence[0].CodeMeaning == "Köpfe"


def test_bytes_that_fit_no_set_are_not_lost(index: Index) -> None:
    index.apply([put("1.1", "2.1", "3.1", PatientName=b"M\xfcller ", charset="ISO_IR 192")])
    (answer,) = answers_to(index, query(PatientName="", SpecificCharacterSet="ISO_IR 192"))
    assert answer.PatientName == "Müller"


# What the index does not have.


class Files:
    """Stands for the archive's files; counts how often one is opened."""

    def __init__(self, dataset: bytes) -> None:
        self.dataset = dataset
        self.asked: list[tuple[str, tuple[int, ...], dict[int, str]]] = []

    def __call__(self, entry: StoredEntry, tags: Tags[int], creators: Mapping[int, str]) -> bytes:
        self.asked.append((entry.sop_instance_uid, tuple(tags), dict(creators)))
        return self.dataset


KVP, CREATOR, PRIVATE = 0x00180060, 0x00090010, 0x00091001


def asking_for_more(level: str = "STUDY", creator: str = "ACME") -> Dataset:
    dataset = query(level, StudyInstanceUID="3.1" if level != "STUDY" else "", SeriesInstanceUID="", KVP=None)
    if level == "IMAGE":
        dataset.SeriesInstanceUID = "2.1"
    dataset.add_new(CREATOR, "LO", creator)
    dataset.add_new(PRIVATE, "LO", "")
    return dataset


FILE_VALUES = (
    element(0x00080005, "CS", b"ISO_IR 100")
    + element(CREATOR, "LO", b"ACME")
    + element(PRIVATE, "LO", b"Gr\xfcn")
    + element(KVP, "DS", b"120")
)


@pytest.mark.parametrize(("level", "reads"), [("STUDY", 1), ("SERIES", 1), ("IMAGE", 2)])
def test_other_attributes_come_from_the_files(index: Index, level: str, reads: int) -> None:
    index.apply([put("1.1", "2.1", "3.1"), put("1.2", "2.1", "3.1")])
    identifier = decode_identifier(encoded(asking_for_more(level)), EXPLICIT_VR_LITTLE_ENDIAN, "STUDY")
    files = Files(FILE_VALUES)
    answers = index.find(identifier, read_attributes=files)
    datasets = [read(one, EXPLICIT_VR_LITTLE_ENDIAN) for one in answers if one]
    assert len(datasets) == reads == answers.files_read == len(files.asked)
    assert datasets[0].KVP == 120
    assert datasets[0][PRIVATE].value == "Grün"
    assert files.asked[0] == ("1.1", (CREATOR, PRIVATE, KVP), {CREATOR: "ACME"})


def test_without_files_they_are_not_returned(index: Index) -> None:
    index.apply([put("1.1", "2.1", "3.1")])
    identifier = decode_identifier(encoded(asking_for_more()), EXPLICIT_VR_LITTLE_ENDIAN, "STUDY")
    (answer,) = found(index, identifier)
    assert "KVP" not in answer and PRIVATE not in answer


def test_so_many_files_and_no_more_are_read(index: Index) -> None:
    index.apply([put(f"1.{n}", "2.1", "3.1") for n in range(5)])
    identifier = decode_identifier(encoded(asking_for_more("IMAGE")), EXPLICIT_VR_LITTLE_ENDIAN, "STUDY")
    answers = index.find(identifier, read_attributes=Files(FILE_VALUES), file_reads_max=3)
    assert [next(answers) is not None for _ in range(3)] == [True] * 3
    with pytest.raises(Unavailable, match="more than 3 files"):
        next(answers)


def test_a_file_that_cannot_be_read_gives_empty_values(index: Index) -> None:
    def broken(entry: StoredEntry, tags: Tags[int], creators: Mapping[int, str]) -> bytes:
        raise OSError("gone")

    index.apply([put("1.1", "2.1", "3.1")])
    identifier = decode_identifier(encoded(asking_for_more()), EXPLICIT_VR_LITTLE_ENDIAN, "STUDY")
    (answer,) = found(index, identifier, read_attributes=broken)
    assert answer.KVP is None


def test_pixels_and_file_meta_are_never_read(index: Index) -> None:
    index.apply([put("1.1", "2.1", "3.1")])
    dataset = query(StudyInstanceUID="")
    dataset.add_new(0x7FE00010, "OW", b"")
    identifier = decode_identifier(encoded(dataset), EXPLICIT_VR_LITTLE_ENDIAN, "STUDY")
    files = Files(b"")
    assert len(found(index, identifier, read_attributes=files)) == 1
    assert files.asked == []


def test_keys_that_are_not_matched_are_told(index: Index) -> None:
    asked = ask("STUDY", Modality="CT", KVP="120", PatientName="A", SeriesDescription="")
    assert asked.unsupported == (BY_KEYWORD["Modality"].tag, KVP)
    index.apply([put("1.1", "2.1", "3.1", PatientName="A")])
    assert len(found(index, asked)) == 1


# Attributes of one's own.


def test_extra_attributes_are_kept_and_matched(tmp_path: Path) -> None:
    extra = Attribute(0x00180022, "CS", "ScanOptions", "SERIES")
    one = put("1.1", "2.1", "3.1")
    record = one.record
    row = element(extra.tag, extra.vr, b"HELICAL") + record.series
    with_extra = type(record)(CT_CLASS, "1.1", "3.1", "2.1", record.patient, record.study, row, record.image)
    with Index.open(tmp_path, attributes=(*ATTRIBUTES, extra), sync=False) as index:
        index.apply([type(one)(with_extra, one.file)])
        keys = {"StudyInstanceUID": "3.1", "attributes": (*ATTRIBUTES, extra)}
        (answer,) = found(index, ask("SERIES", **keys, ScanOptions="HELI*"))
        assert answer.ScanOptions == "HELICAL"
        assert found(index, ask("SERIES", **keys, ScanOptions="AXIAL")) == []


CT_CLASS = "1.2.840.10008.5.1.4.1.1.2"


# How they come.


def test_a_limit_ends_with_a_status_not_as_if_that_was_all(index: Index) -> None:
    index.apply([put(f"1.{n}", f"2.{n}", f"3.{n}") for n in range(10)])
    answers = index.find(ask("STUDY", StudyInstanceUID=""), limit=4)
    told = []
    with pytest.raises(Unavailable, match="more than 4"):
        told += [next(answers) for _ in range(5)]
    assert answers.count == 4
    assert len(found(index, ask("STUDY", StudyInstanceUID=""), limit=10)) == 10


def test_control_comes_back_although_nothing_matches(index: Index) -> None:
    index.apply([put(f"1.{n}", f"2.{n}", f"3.{n}") for n in range(3000)])
    steps = list(index.find(ask("STUDY", StudyDescription="*NOWHERE*")))
    assert steps and set(steps) == {None}
    index.apply([put(f"9.{n}", "8.1", "7.1") for n in range(2000)])
    steps = list(
        index.find(ask("IMAGE", StudyInstanceUID="7.1", SeriesInstanceUID="8.1", InstanceNumber="5"))
    )
    assert len(steps) >= 3 and set(steps) == {None}


def test_a_query_that_is_dropped_ends_its_snapshot(index: Index) -> None:
    index.apply([put(f"1.{n}", f"2.{n}", f"3.{n}") for n in range(10)])
    for _ in range(3):
        answers = index.find(ask("STUDY", StudyInstanceUID=""))
        next(answers)
        answers.close()
        next(index.find(ask("STUDY", StudyInstanceUID="")))  # dropped without a word
    index.find(ask("STUDY", StudyInstanceUID=""))  # never begun
    gc.collect()
    assert index._store._gate._inside == 0


@pytest.mark.parametrize(
    ("keys", "key", "rows"),
    [
        ({"PatientID": "P7"}, "PatientID", 1),
        ({"AccessionNumber": "A7", "PatientID": "P7"}, "AccessionNumber", 1),
        ({"PatientName": "N77*", "StudyDate": "20240101"}, "PatientName", 11),
        ({"PatientName": "N7*", "StudyDate": "20240101"}, "StudyDate", 34),
        ({"StudyDate": "20240107"}, "StudyDate", 34),
        ({"StudyInstanceUID": ["3.1", "3.2"]}, "StudyInstanceUID", 2),
        ({"PatientName": "*7*"}, "", 1000),
        ({"StudyDate": "20240101-20241231"}, "", 1000),  # nearly all: reading them in order is faster
    ],
)
def test_the_plan_takes_the_shortest_way(index: Index, keys: dict[str, object], key: str, rows: int) -> None:
    index.apply(
        [
            put(
                f"1.{n}",
                f"2.{n}",
                f"3.{n}",
                PatientID=f"P{n}",
                AccessionNumber=f"A{n}",
                PatientName=f"N{n}",
                StudyDate=f"202401{n % 30 + 1:02}",
            )
            for n in range(1000)
        ]
    )
    plan = index.explain(ask("STUDY", **keys))
    assert plan.key == (BY_KEYWORD[key].tag if key else None)
    assert plan.rows_visited == (0, rows, 0, 0)
    assert plan.found == (rows if key else None)
    assert {*plan.tried} == {BY_KEYWORD[name].tag for name, value in keys.items() if value != "*7*"}


def test_rows_that_stand_alone_are_found_like_others(index: Index) -> None:
    long = "x" * 9000
    index.apply(
        [
            put(
                f"1.{n}",
                f"2.{n}",
                f"3.{n}",
                PatientID=f"P{n}",
                PatientComments=long if n % 3 == 0 else "short",
            )
            for n in range(50)
        ]
    )
    assert len(found(index, ask("STUDY", StudyInstanceUID=""))) == 50
    assert len(found(index, ask("PATIENT", "PATIENT", PatientID=""))) == 50
    assert len(found(index, ask("STUDY", PatientComments="x*"))) == 17
    (answer,) = found(
        index, ask("STUDY", PatientID="P48", PatientComments="", NumberOfPatientRelatedStudies="")
    )
    assert answer.PatientComments == long and answer.NumberOfPatientRelatedStudies == 1
