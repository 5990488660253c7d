"""The answers of a query as a table or as DICOM JSON, PS3.18 Annex F."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from fastdicom.cli.terminal import print_table

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

# what a query returns when nothing was asked for: enough to tell the matches apart and to ask on
RETURN_KEYS: dict[str, tuple[str, ...]] = {
    "PATIENT": (
        "PatientID",
        "PatientName",
        "PatientBirthDate",
        "PatientSex",
        "NumberOfPatientRelatedStudies",
    ),
    "STUDY": (
        "StudyDate",
        "PatientID",
        "PatientName",
        "AccessionNumber",
        "ModalitiesInStudy",
        "StudyDescription",
        "NumberOfStudyRelatedInstances",
        "StudyInstanceUID",
    ),
    "SERIES": (
        "SeriesNumber",
        "Modality",
        "SeriesDescription",
        "NumberOfSeriesRelatedInstances",
        "SeriesInstanceUID",
    ),
    "IMAGE": ("InstanceNumber", "SOPClassUID", "SOPInstanceUID"),
}
OF_THE_PATIENT = ("PatientID", "PatientName")
HEADINGS = {
    "NumberOfPatientRelatedStudies": "Studies",
    "NumberOfStudyRelatedInstances": "Instances",
    "NumberOfSeriesRelatedInstances": "Instances",
    "ModalitiesInStudy": "Modalities",
}


def with_return_keys(level: str, model: str, keys: Mapping[str, str]) -> dict[str, str]:
    """`keys`, and what a query at `level` should return unless a key without a value says what.

    In the Patient Root model the patient's attributes are not the study's: they are no return keys there.
    """
    if any(value == "" for value in keys.values()):
        return dict(keys)
    left_out = OF_THE_PATIENT if (level, model) == ("STUDY", "PATIENT") else ()
    defaults = {name: "" for name in RETURN_KEYS[level] if name not in left_out}
    return {**defaults, **keys}


def print_answers(answers: Iterable[Dataset], columns: Iterable[str]) -> int:
    """A table with a column for each key; the number of answers."""
    names = list(columns)
    headings = [HEADINGS.get(name, name) for name in names]
    return print_table(headings, ([value_text(answer, name) for name in names] for answer in answers))


def print_json_answers(answers: Iterable[Dataset]) -> int:
    """One DICOM JSON object a line as they come; the number of answers."""
    count = 0
    for answer in answers:
        print(answer.to_json(suppress_invalid_tags=True))
        count += 1
    return count


def value_text(answer: Dataset, name: str) -> str:
    """The value of a key (see `identifiers.key_name`) as text; "" when it is absent."""
    from pydicom.datadict import tag_for_keyword

    first, _, rest = name.partition(".")
    tag = tag_for_keyword(first) or int(first.replace(",", ""), 16)
    if tag not in answer:
        return ""
    element = answer[tag]
    if element.VR == "SQ":
        items = element.value or []
        return "\\".join(value_text(item, rest) for item in items) if rest else f"{len(items)} items"
    value = element.value
    if value is None:
        return ""
    return "\\".join(map(str, value)) if element.VM > 1 else str(value)
