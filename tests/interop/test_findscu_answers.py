"""What a node tells DCMTK's findscu: levels, counts, collected attributes, files' attributes, statuses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, dcmread

from tests.interop.studies import BASIC_TEXT_SR, CT, Instance, make_study, store_raw
from tests.support.cli import dcmtk
from tests.support.node import Node, fastdicom_node

pytestmark = pytest.mark.filterwarnings("ignore")
STUDIES = 2
REFUSED = "Error: DataSetDoesNotMatchSOPClass"  # A900H in the words of DCMTK


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> list[list[Instance]]:
    """Two studies of nine instances in two series: eight CT images and a report."""
    folder = tmp_path_factory.mktemp("files")
    return [make_study(folder / str(run), run=50 + run) for run in range(STUDIES)]


@pytest.fixture(scope="module")
def helpful(tmp_path_factory: pytest.TempPathFactory, studies: list[list[Instance]]) -> Iterator[Node]:
    """A node with both studies that answers Study Root queries at PATIENT level."""
    changes = {"query": {"patient_level_in_study_root": True}}
    with fastdicom_node(tmp_path_factory.mktemp("node"), changes) as node:
        for study in studies:
            store_raw(node.port, study)
        yield node


def ask(node: Node, folder: Path, model: str, level: str, *keys: str) -> tuple[list[Dataset], str]:
    """findscu's answers, and what it says about the last response."""
    out = folder / f"{model}{level}"
    out.mkdir()
    arguments = [model, "-X", "-v", "-aec", "FASTDICOM", "-k", f"QueryRetrieveLevel={level}"]
    for key in keys:
        arguments += ["-k", key]
    said = dcmtk("findscu", *arguments, "127.0.0.1", node.port, cwd=out)
    final = re.findall(r"Received Final Find Response \((.*)\)", said)
    return [dcmread(path, force=True) for path in sorted(out.glob("rsp*.dcm"))], final[-1]


def first(studies: list[list[Instance]]) -> Dataset:
    return dcmread(studies[0][0].path)


EVERYWHERE: dict[str, Any] = {"RetrieveAETitle": "FASTDICOM", "InstanceAvailability": "ONLINE"}
COUNTED = [
    (
        "-P",
        "PATIENT",
        [
            "PatientID={patient}",
            "NumberOfPatientRelatedStudies",
            "NumberOfPatientRelatedSeries",
            "NumberOfPatientRelatedInstances",
        ],
        {
            "NumberOfPatientRelatedStudies": 1,
            "NumberOfPatientRelatedSeries": 2,
            "NumberOfPatientRelatedInstances": 9,
        },
    ),
    (
        "-S",
        "PATIENT",
        ["PatientID={patient}", "NumberOfPatientRelatedStudies"],
        {"NumberOfPatientRelatedStudies": 1},
    ),
    (
        "-S",
        "STUDY",
        [
            "StudyInstanceUID={study}",
            "NumberOfStudyRelatedSeries",
            "NumberOfStudyRelatedInstances",
            "ModalitiesInStudy",
            "SOPClassesInStudy",
        ],
        {
            "NumberOfStudyRelatedSeries": 2,
            "NumberOfStudyRelatedInstances": 9,
            "ModalitiesInStudy": "OT",
            "SOPClassesInStudy": [CT, BASIC_TEXT_SR],
        },
    ),
    (
        "-S",
        "STUDY",
        ["StudyInstanceUID={study}", "ModalitiesInStudy=OT\\CT", "PatientName"],
        {"ModalitiesInStudy": "OT", "PatientName": "Muster^Müller"},
    ),
    (
        "-S",
        "SERIES",
        ["StudyInstanceUID={study}", "SeriesInstanceUID={series}", "NumberOfSeriesRelatedInstances"],
        {"NumberOfSeriesRelatedInstances": 8},
    ),
    (
        "-P",
        "SERIES",
        ["PatientID={patient}", "StudyInstanceUID={study}", "SeriesInstanceUID={series}", "Modality"],
        {"Modality": "OT"},
    ),
    (
        "-S",
        "STUDY",
        ["StudyInstanceUID={study}", "SliceThickness", "ProcedureCodeSequence"],
        {"SliceThickness": 1},
    ),
]


@pytest.mark.parametrize(("model", "level", "keys", "expected"), COUNTED)
def test_counts_and_collections(
    helpful: Node,
    studies: list[list[Instance]],
    tmp_path: Path,
    model: str,
    level: str,
    keys: list[str],
    expected: dict[str, Any],
) -> None:
    one = first(studies)
    uids = {"patient": one.PatientID, "study": one.StudyInstanceUID, "series": one.SeriesInstanceUID}
    (answer,), final = ask(helpful, tmp_path, model, level, *(key.format(**uids) for key in keys))
    assert final == "Success"
    assert answer.QueryRetrieveLevel == level
    for keyword, value in {**EVERYWHERE, **expected}.items():
        assert answer[keyword].value == value, keyword
    if "ProcedureCodeSequence" in keys:
        assert answer.ProcedureCodeSequence[0].CodeMeaning == "Chest"


@pytest.mark.parametrize("level", ["IMAGE", "INSTANCE", "IMAGES"])
def test_the_spellings_of_the_lowest_level(
    helpful: Node, studies: list[list[Instance]], tmp_path: Path, level: str
) -> None:
    one = first(studies)
    keys = [f"StudyInstanceUID={one.StudyInstanceUID}", f"SeriesInstanceUID={one.SeriesInstanceUID}"]
    answers, final = ask(helpful, tmp_path, "-S", level, *keys, "SOPInstanceUID", "InstanceNumber")
    assert final == "Success"
    assert {answer.SOPInstanceUID for answer in answers} == {
        entry.sop_instance for entry in studies[0] if entry.sop_class == CT
    }
    assert {answer.QueryRetrieveLevel for answer in answers} == {"IMAGE"}


@pytest.mark.parametrize(
    ("model", "level", "keys"),
    [
        ("-S", "SERIES", ["SeriesInstanceUID"]),
        ("-S", "IMAGE", ["StudyInstanceUID=1.2", "SOPInstanceUID"]),
        ("-P", "STUDY", ["StudyInstanceUID"]),
        ("-S", "FRAME", ["SOPInstanceUID"]),
        ("-S", "STUDY", ["StudyDate=yesterday"]),
    ],
)
def test_what_is_refused(helpful: Node, tmp_path: Path, model: str, level: str, keys: list[str]) -> None:
    answers, final = ask(helpful, tmp_path, model, level, *keys)
    assert answers == []
    assert final == REFUSED


def test_patient_level_in_study_root_is_an_option(tmp_path: Path) -> None:
    with fastdicom_node(tmp_path / "node") as node:
        answers, final = ask(node, tmp_path, "-S", "PATIENT", "PatientID")
    assert (answers, final) == ([], REFUSED)


def test_the_clock_of_a_study_is_told(tmp_path: Path) -> None:
    study = make_study(tmp_path / "files", run=60, names=("explicit_le",))
    dataset = dcmread(study[0].path)
    dataset.TimezoneOffsetFromUTC = "+0200"
    dataset.save_as(study[0].path)
    with fastdicom_node(tmp_path / "node") as node:
        dcmtk("storescu", "-aec", "FASTDICOM", "-xe", "127.0.0.1", node.port, study[0].path)
        (answer,), _ = ask(node, tmp_path, "-S", "STUDY", "StudyTime", "TimezoneOffsetFromUTC")
    assert answer.TimezoneOffsetFromUTC == "+0200"
