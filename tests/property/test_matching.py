"""Random archives and random identifiers: the index against the reference matcher over pydicom Data Sets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset, Sequence

from fastdicom.dataset.attributes import ATTRIBUTES, LEVELS
from fastdicom.dataset.identifier import decode_identifier
from fastdicom.dataset.record import FileEntry, InstanceRecord, Put
from fastdicom.dataset.terms import Terms
from fastdicom.index.environment import Index
from fastdicom.standard.transfer_syntaxes import (
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from tests.support import reference_matcher as reference
from tests.support.answers import read
from tests.support.asking import encoded
from tests.support.records import CT

pytestmark = pytest.mark.filterwarnings("ignore")

NAMES = (
    "DOE^JOHN",
    "doe^john ",
    "Doe ^ John^^",
    "DOE",
    "DOEHRING^JO",
    "M\u00fcller^J\u00f6rg",
    "MULLER^JORG",
    "Yamada^Tarou=\u5c71\u7530^\u592a\u90ce=\u3084\u307e\u3060^\u305f\u308d\u3046",
    "\u738b^\u5c0f\u6771",
    "",
    None,
    "O'NEIL^[X]%_",
    "SMITH^ANN^^DR^",
)
IDS = ("P1", "P2", "P12", "p1", "P.1", "P[1]", "P%")
WORDS = (
    "HEAD",
    "head",
    "HEAD ",
    " HEAD",
    "CT HEAD",
    "A\\B",
    "K\u00f6pfe",
    "*",
    "",
    None,
    "100%",
    "a_b",
    "(x|y)+",
)
DATES = ("20240101", "20240215", "19991231", "2024.01.01", "", None)
TIMES = ("101010", "1010", "10", "235959.999999", "101010.5", "10:10:10", "", None)
MODALITIES = ("CT", "MR", "SR", "", None)
NUMBERS = ("1", " 1", "+1", "01", "2", "1.0", "", None)
CODES = ("T-1", "T-2", "", None)
CHARSETS = ("ISO_IR 192", "ISO_IR 100", "GB18030", ["", "ISO 2022 IR 87"])


@dataclass(frozen=True)
class Stored:
    """An instance as the test made it."""

    dataset: Dataset
    put: Put


def put_of(dataset: Dataset, number: int) -> Put:
    levels = []
    for level in LEVELS:
        part = Dataset()
        part.SpecificCharacterSet = dataset.SpecificCharacterSet
        for row in ATTRIBUTES:
            if row.level == level and row.tag in dataset:
                part[row.tag] = dataset[row.tag]
        levels.append(encoded(part))
    uids = dataset.SOPInstanceUID, dataset.StudyInstanceUID, dataset.SeriesInstanceUID
    file = FileEntry(f"b/{number}", 1, 0, 0, EXPLICIT_VR_LITTLE_ENDIAN, 0.0, "")
    return Put(InstanceRecord(CT, *uids, *levels), file)


def fits(text: str | None, charset: Any) -> bool:
    """pydicom would put a `?` where the set has no character."""
    from fastdicom.dataset.charset import charset_of

    joined = "\\".join(charset) if isinstance(charset, list) else charset
    return text is None or charset_of(joined).encode(text, "PN") is not None


@st.composite
def archives(draw: st.DrawFn) -> list[Stored]:
    stored = []
    for number in range(draw(st.integers(1, 7))):
        dataset = Dataset()
        charset = draw(st.sampled_from(CHARSETS))
        dataset.SpecificCharacterSet = charset
        study = draw(st.integers(0, 3))
        dataset.SOPClassUID, dataset.SOPInstanceUID = CT, f"1.3.{number}"
        dataset.SeriesInstanceUID = f"1.2.{study}.{draw(st.integers(0, 1))}"
        dataset.StudyInstanceUID = f"1.1.{study}"
        dataset.PatientID = draw(st.sampled_from(IDS))
        choices = {
            "PatientName": NAMES,
            "StudyDescription": WORDS,
            "StudyDate": DATES,
            "StudyTime": TIMES,
            "Modality": MODALITIES,
            "InstanceNumber": NUMBERS,
            "AccessionNumber": WORDS,
            "SeriesDescription": WORDS,
            "ReferringPhysicianName": NAMES,
        }
        for keyword, values in choices.items():
            value = draw(st.sampled_from(values))
            if value is not None and fits(value, charset):
                dataset.add_new(keyword, vr_of(keyword), value.split("\\") if "\\" in value else value)
        items = [code_item(draw, charset) for _ in range(draw(st.integers(0, 2)))]
        if items or draw(st.booleans()):
            dataset.ProcedureCodeSequence = Sequence(items)
        stored.append(Stored(dataset, put_of(dataset, number)))
    return stored


def code_item(draw: st.DrawFn, charset: Any) -> Dataset:
    item = Dataset()
    for keyword, values in (("CodeValue", CODES), ("CodeMeaning", WORDS)):
        value = draw(st.sampled_from(values))
        if value is not None and "\\" not in value and fits(value, charset):
            item.add_new(keyword, vr_of(keyword), value)
    return item


def vr_of(keyword: str) -> str:
    from pydicom.datadict import dictionary_VR

    return dictionary_VR(keyword)


@st.composite
def patterns(draw: st.DrawFn, values: Iterable[str | None]) -> str:
    """A value, or what a person makes of one: cut, with wild cards, in another case."""
    value = draw(st.sampled_from([one for one in values if one]))
    kind = draw(
        st.sampled_from(("same", "start", "end", "inner", "one", "lower", "universal", "plain", "list"))
    )
    cut = draw(st.integers(0, len(value)))
    if kind == "list":
        return value + "\\" + draw(st.sampled_from([one for one in values if one]))
    return {
        "same": value,
        "start": value[:cut] + "*",
        "end": "*" + value[cut:],
        "inner": f"*{value[cut // 2 : cut]}*",
        "one": value[:cut] + "?" + value[cut + 1 :],
        "lower": value.lower(),
        "universal": "",
        "plain": value.replace("\u00fc", "u").replace("\u00f6", "o"),
    }[kind]


RANGES = (
    "",
    "20240101",
    "20240101-20240215",
    "20240102-",
    "-20240101",
    "19990101-20301231",
    "20240101\\19991231",
)
TIME_RANGES = ("", "1010", "10-11", "-1010", "101010-", "101010.5-101011", "000000-235959", "10:10:10")


@st.composite
def identifiers(draw: st.DrawFn) -> Dataset:
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.QueryRetrieveLevel = draw(st.sampled_from(LEVELS))
    choices = {
        "PatientID": patterns(IDS),
        "PatientName": patterns(NAMES),
        "StudyDescription": patterns(WORDS),
        "StudyDate": st.sampled_from(RANGES),
        "StudyTime": st.sampled_from(TIME_RANGES),
        "AccessionNumber": patterns(WORDS),
        "Modality": patterns(MODALITIES),
        "InstanceNumber": patterns(NUMBERS),
        "SeriesDescription": patterns(WORDS),
        "ReferringPhysicianName": patterns(NAMES),
        "StudyInstanceUID": st.sampled_from(("", "1.1.0", "1.1.1\\1.1.2", "1.1.*")),
        "SeriesInstanceUID": st.sampled_from(("", "1.2.0.0", "1.2.1.0\\1.2.0.1")),
        "SOPInstanceUID": st.sampled_from(("", "1.3.0", "1.3.1\\1.3.2\\1.3.9")),
    }
    for keyword, strategy in choices.items():
        if draw(st.integers(0, 4)) == 0:
            value = draw(strategy)
            vr = vr_of(keyword)
            if vr == "IS" and any(one in value for one in "*?"):
                continue
            dataset.add_new(keyword, vr, value.split("\\") if "\\" in value else value)
    if draw(st.booleans()):
        item = Dataset()
        for keyword, values in (("CodeValue", CODES), ("CodeMeaning", WORDS)):
            if draw(st.booleans()):
                pattern = draw(patterns(values))
                item.add_new(keyword, vr_of(keyword), pattern.split("\\") if "\\" in pattern else pattern)
        dataset.ProcedureCodeSequence = Sequence([item] if draw(st.booleans()) else [])
    return dataset


UNIQUE = {
    "PATIENT": "PatientID",
    "STUDY": "StudyInstanceUID",
    "SERIES": "SeriesInstanceUID",
    "IMAGE": "SOPInstanceUID",
}
KEY_LEVEL = {row.tag: LEVELS.index(row.level) for row in ATTRIBUTES}


def entities(stored: list[Stored], level: str) -> dict[tuple[str, ...], Dataset]:
    """Each entity's attributes: those of its own level and above, from the first instance of each."""
    first: dict[tuple[str, ...], Dataset] = {}
    found: dict[tuple[str, ...], Dataset] = {}
    for one in stored:
        dataset = one.dataset
        study = first.setdefault(("S", dataset.StudyInstanceUID), dataset)
        series = first.setdefault(("E", dataset.StudyInstanceUID, dataset.SeriesInstanceUID), dataset)
        patient = first.setdefault(("P", study.PatientID), study)
        if level == "PATIENT":
            key: tuple[str, ...] = (study.PatientID,)
        else:
            uids = (dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SOPInstanceUID)
            key = uids[: LEVELS.index(level)]
        sources = (patient if level == "PATIENT" else study, study, series, dataset)
        entity = found.setdefault(key, Dataset())
        for row in ATTRIBUTES:
            source = sources[LEVELS.index(row.level)]
            if LEVELS.index(row.level) <= LEVELS.index(level) and row.tag in source and row.tag not in entity:
                entity[row.tag] = source[row.tag]
    return found


def expected(stored: list[Stored], identifier: Dataset, accents: bool) -> set[tuple[str, ...]]:
    level = identifier.QueryRetrieveLevel
    keys = [key for key in identifier if key.tag in KEY_LEVEL and KEY_LEVEL[key.tag] <= LEVELS.index(level)]
    return {
        name
        for name, entity in entities(stored, level).items()
        if all(reference.matches(key, entity.get(key.tag), accents) for key in keys)
    }


@settings(max_examples=400, deadline=None)
@given(
    archives(),
    identifiers(),
    st.booleans(),
    st.sampled_from((IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN)),
)
def test_the_index_finds_what_the_standard_says(
    stored: list[Stored], identifier: Dataset, accents: bool, syntax: str
) -> None:
    level = identifier.QueryRetrieveLevel
    returned = [UNIQUE[one] for one in LEVELS[: LEVELS.index(level) + 1]]
    wanted = expected(stored, identifier, accents)
    for keyword in returned:
        if keyword not in identifier:
            setattr(identifier, keyword, "")
    with TemporaryDirectory() as folder, Index.open(Path(folder), sync=False) as index:
        index.apply([one.put for one in stored])
        terms = Terms(relational=True, accent_folding=accents)
        asked = decode_identifier(encoded(identifier, syntax), syntax, "PATIENT", terms=terms)
        answers = [read(one, syntax) for one in index.find(asked) if one]
    told = [tuple(answer[keyword].value for keyword in returned[1:] or returned) for answer in answers]
    assert len(told) == len(set(told))
    assert set(told) == wanted
    check_values(answers, entities(stored, level), identifier, returned)


def check_values(
    answers: list[Dataset], there: dict[tuple[str, ...], Dataset], identifier: Dataset, returned: list[str]
) -> None:
    """What was asked for is told as it was stored, in any character set."""
    for answer in answers:
        entity = there[tuple(answer[keyword].value for keyword in returned[1:] or returned)]
        for key in identifier:
            if key.tag in KEY_LEVEL and key.VR != "SQ" and key.tag in answer:
                stored = entity.get(key.tag)
                assert reference.values_of(answer[key.tag]) == reference.values_of(stored)
        asked = identifier.get("ProcedureCodeSequence")
        if asked is not None and "ProcedureCodeSequence" in answer:
            check_items(answer.ProcedureCodeSequence, entity.get("ProcedureCodeSequence"), asked)


def check_items(told: Sequence, stored: Sequence | None, asked: Sequence) -> None:
    if not asked or not asked[0]:
        assert len(told) == len(stored or ())
        return
    matching = [item for item in stored or () if reference.item_matches(asked[0], item)]
    assert len(told) <= len(stored or ()) and all(set(item.keys()) == set(asked[0].keys()) for item in told)
    if all(key.VR != "PN" for key in asked[0]):
        assert [str(item.get("CodeValue", "") or "").strip() for item in told] == [
            str(item.get("CodeValue", "") or "").strip() if "CodeValue" in asked[0] else ""
            for item in matching
        ]
