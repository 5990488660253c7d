"""What SOP Class Extended Negotiation can grant: date-time, timezone, fuzzy and relational. PS3.4 C.5.1.1."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fastdicom.dataset.identifier import decode_identifier
from fastdicom.dataset.terms import Terms
from fastdicom.index.environment import Index
from fastdicom.index.phonetic import sound_of
from fastdicom.index.times import moment_of, moment_range
from fastdicom.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from tests.support.answers import found
from tests.support.asking import ask, encoded, query
from tests.support.records import put

RELATIONAL = Terms(relational=True)
STUDIES = {
    "3.1": {"StudyDate": "20240101", "StudyTime": "2300"},
    "3.2": {"StudyDate": "20240102", "StudyTime": "0100"},
    "3.3": {"StudyDate": "20240102", "StudyTime": "2330"},
    "3.4": {"StudyDate": "20240103", "StudyTime": "120000.5"},
    "3.5": {"StudyDate": "20240102"},
    "3.6": {"StudyTime": "0100"},
}


def studies(index: Index, offsets: dict[str, str] | None = None) -> None:
    index.apply(
        [
            put(
                f"1.{uid}",
                f"2.{uid}",
                uid,
                **values,
                **({"TimezoneOffsetFromUTC": offsets[uid]} if uid in (offsets or {}) else {}),
            )
            for uid, values in STUDIES.items()
        ]
    )


@pytest.mark.parametrize(
    ("date", "time", "apart", "joined"),
    [
        ("20240101-20240102", "2200-0200", [], ["3.1", "3.2"]),  # over midnight
        ("20240101-20240102", "1000-2345", ["3.1", "3.3"], ["3.1", "3.2", "3.3"]),
        ("20240102", "0100", ["3.2"], ["3.2"]),
        ("20240102-", "2330-", ["3.3"], ["3.3", "3.4"]),
        ("-20240102", "-0059", [], ["3.1"]),
        ("20240102-20240103", "", ["3.2", "3.3", "3.4", "3.5"], ["3.2", "3.3", "3.4", "3.5"]),
    ],
)
def test_date_and_time_as_one_moment(
    index: Index, date: str, time: str, apart: list[str], joined: list[str]
) -> None:
    studies(index)
    asked = ask("STUDY", StudyInstanceUID="", StudyDate=date, StudyTime=time)
    for datetime, expected in ((False, apart), (True, joined)):
        answers = found(index, replace(asked, terms=Terms(datetime=datetime)))
        assert sorted(answer.StudyInstanceUID for answer in answers) == expected


def test_the_askers_clock(index: Index) -> None:
    studies(index, {"3.1": "+0000", "3.2": "+0000", "3.3": "-0500"})
    dataset = query(StudyInstanceUID="", StudyDate="20240102", StudyTime="", TimezoneOffsetFromUTC="+0200")
    asked = decode_identifier(encoded(dataset), EXPLICIT_VR_LITTLE_ENDIAN, "STUDY")
    plain = {answer.StudyInstanceUID for answer in found(index, asked)}
    assert plain == {"3.2", "3.3", "3.5"}
    answers = {
        answer.StudyInstanceUID: answer for answer in found(index, replace(asked, terms=Terms(timezone=True)))
    }
    assert set(answers) == {
        "3.1",
        "3.2",
        "3.5",
    }  # 23:00 UTC is the next day there; 23:30 in New York two days on
    assert answers["3.1"].StudyDate == "20240101" and answers["3.1"].TimezoneOffsetFromUTC == "+0000"


def test_the_time_of_day_on_the_askers_clock(index: Index) -> None:
    studies(index, {"3.1": "+0000", "3.2": "+0000"})
    dataset = query(StudyInstanceUID="", StudyTime="0000-0200", TimezoneOffsetFromUTC="+0200")
    asked = decode_identifier(encoded(dataset), EXPLICIT_VR_LITTLE_ENDIAN, "STUDY")
    answers = found(index, replace(asked, terms=Terms(timezone=True)))
    assert {answer.StudyInstanceUID for answer in answers} == {"3.1", "3.6"}  # 3.6 does not say whose clock


@pytest.mark.parametrize(
    ("key", "matched"),
    [
        ("20240102101010", ["20240102101010", "20240102101010+0100"]),  # clocks as they stand
        ("20240102", ["20240102"]),
        (
            "2024010210-2024010211",
            ["20240102101010", "20240102101010.5", "20240102101010+0100", "2024010211"],
        ),
        ("202401", []),
        (
            "2024-2024",
            ["20240102101010", "20240102101010.5", "20240102101010+0100", "20240102", "2024010211"],
        ),
        ("20240102091010+0000", ["20240102101010+0100"]),  # the same moment
        ("20240102091010+0000-20240102091010+0000", ["20240102101010+0100"]),
        ("-2023", ["2023"]),
        ("2024010211-", ["2024010211"]),
        ("20240102051010-0500-", ["20240102101010", "20240102101010.5", "2024010211"]),
    ],
)
def test_moments(index: Index, key: str, matched: list[str]) -> None:
    values = [
        "20240102101010",
        "20240102101010.5",
        "20240102101010+0100",
        "20240102",
        "2024010211",
        "2023",
        "",
        "nonsense",
    ]
    index.apply([put(f"1.{n}", "2.1", "3.1", AcquisitionDateTime=value) for n, value in enumerate(values)])
    answers = found(index, ask("IMAGE", SOPInstanceUID="", AcquisitionDateTime=key))
    got = [values[int(answer.SOPInstanceUID[2:])] for answer in answers]
    if key == "20240102051010-0500-":  # clocks count only where both sides name theirs
        got = [one for one in got if "+" not in one]
    assert got == matched


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2024", "2024-01-01 00:00:00", "2024-12-31 23:59:59.999999"),
        ("202402", "2024-02-01 00:00:00", "2024-02-29 23:59:59.999999"),
        ("20240229", "2024-02-29 00:00:00", "2024-02-29 23:59:59.999999"),
        ("2024022923", "2024-02-29 23:00:00", "2024-02-29 23:59:59.999999"),
        ("20240229235960", "2024-02-29 23:59:59", "2024-02-29 23:59:59.999999"),  # a leap second
        ("20240229235959.12", "2024-02-29 23:59:59.120000", "2024-02-29 23:59:59.129999"),
        ("99991231", "9999-12-31 00:00:00", "9999-12-31 23:59:59.999999"),
        ("999912", "9999-12-01 00:00:00", "9999-12-31 23:59:59.999999"),
    ],
)
def test_a_moment_spans_what_its_digits_leave_open(text: str, first: str, last: str) -> None:
    moment = moment_of(text)
    assert moment is not None
    assert (str(moment.first), str(moment.last)) == (first, last)


@pytest.mark.parametrize(
    "text",
    ["", "202", "20241", "20241301", "20240230", "2024010125", "x", "20240101+2500", "0000", "202000",
     "20200000", "20200100", "20200001", "00000000", "0000010112"],
)  # fmt: skip
def test_what_is_no_moment(text: str) -> None:
    assert moment_of(text) is None


@pytest.mark.parametrize("text", ["-", "", "x-", "2024-x", "2024-2025-2026-2027"])
def test_what_is_no_range(text: str) -> None:
    assert moment_range(text) is None


def test_a_hyphen_may_belong_to_an_offset() -> None:
    one = moment_range("20240102101010-0500")
    assert one is not None and one.single
    two = moment_range("20240102101010-0500-20240103")
    assert two is not None and not two.single and two.low is not None and two.low.offset is not None


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("meyer", "maier", True),
        ("schmidt", "smith", True),
        ("philip", "filip", True),
        ("catherine", "katharine", True),
        ("steven", "stefan", True),
        ("knox", "nocks", False),
        ("miller", "muller", True),
        ("smith", "jones", False),
        ("anna", "hanna", True),
        ("robert", "rupert", True),
        ("lee", "leigh", True),
        ("山田", "山田", True),
        ("山田", "山本", False),
    ],
)
def test_words_that_sound_alike(one: str, other: str, alike: bool) -> None:
    assert (sound_of(one) == sound_of(other)) is alike


@pytest.mark.parametrize(
    ("key", "matched"),
    [
        ("maier", ["MEYER^ANNA"]),
        ("anna meyr", ["MEYER^ANNA"]),  # in any order
        ("Schmitt^J*", ["SMITH^JOHN"]),
        ("smid*", ["SMITH^JOHN"]),
        ("山田", ["YAMADA^TARO=山田^太郎"]),
        ("jones", []),
    ],
)
def test_fuzzy_names(index: Index, key: str, matched: list[str]) -> None:
    names = ["MEYER^ANNA", "SMITH^JOHN", "YAMADA^TARO=山田^太郎"]
    index.apply(
        [
            put(f"1.{n}", f"2.{n}", f"3.{n}", PatientName=name, charset="ISO_IR 192", codec="utf-8")
            for n, name in enumerate(names)
        ]
    )
    answers = found(index, ask("STUDY", PatientName=key, terms=Terms(fuzzy=True)))
    assert [str(answer.PatientName) for answer in answers] == matched


def test_relational_queries_need_no_higher_keys(index: Index) -> None:
    index.apply(
        [
            put(f"1.{n}", f"2.{n}", f"3.{n}", Modality=("CT", "MR")[n % 2], InstanceNumber=str(n))
            for n in range(6)
        ]
    )
    dataset = query("SERIES", Modality="MR", SeriesInstanceUID="")
    asked = decode_identifier(encoded(dataset), EXPLICIT_VR_LITTLE_ENDIAN, "STUDY", terms=RELATIONAL)
    assert {answer.SeriesInstanceUID for answer in found(index, asked)} == {"2.1", "2.3", "2.5"}
    dataset = query("IMAGE", Modality="MR", InstanceNumber="3", SOPInstanceUID="")
    asked = decode_identifier(encoded(dataset), EXPLICIT_VR_LITTLE_ENDIAN, "PATIENT", terms=RELATIONAL)
    assert {answer.SOPInstanceUID for answer in found(index, asked)} == {"1.3"}
