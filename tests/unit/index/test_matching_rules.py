"""The matching rules of PS3.4 C.2.2.2 as tables: what one key finds among values of one attribute."""

from __future__ import annotations

import pytest
from pydicom.datadict import tag_for_keyword

from fastdicom.dataset.terms import Terms
from fastdicom.errors import Refused
from fastdicom.index.environment import Index
from tests.support.answers import found
from tests.support.asking import ask
from tests.support.records import put


def matching(index: Index, keyword: str, key: object, values: list[object], **options: bool) -> list[object]:
    """The values that the key finds, each in a study of its own; None: the attribute is absent."""
    puts = []
    for number, value in enumerate(values):
        keys = {} if value is None else {keyword: value}
        puts.append(
            put(f"1.{number}", f"2.{number}", f"3.{number}", charset="ISO_IR 192", codec="utf-8", **keys)
        )
    index.apply(puts)
    asked = ask("STUDY", terms=Terms(**options), **({"StudyInstanceUID": ""} | {keyword: key}))
    answers = found(index, asked)
    return [values[int(answer.StudyInstanceUID[2:])] for answer in answers]


LO = "StudyDescription"
WORDS: list[object] = [
    "HEAD",
    "head",
    "HEAD ",
    "HEADS",
    "A[1]%_.",
    "AB",
    "A",
    "",
    None,
    "X\\HEAD",
    "*",
    "Köpfe",
]


@pytest.mark.parametrize(
    ("key", "matched"),
    [
        ("HEAD", ["HEAD", "HEAD ", "X\\HEAD"]),  # case counts, padding does not, any value of several
        (" HEAD  ", ["HEAD", "HEAD ", "X\\HEAD"]),
        ("", WORDS),  # universal
        ("*", WORDS),
        ("**", WORDS),
        ("HEAD*", ["HEAD", "HEAD ", "HEADS", "X\\HEAD"]),
        ("*EAD", ["HEAD", "HEAD ", "X\\HEAD"]),
        ("H??D", ["HEAD", "HEAD ", "X\\HEAD"]),
        ("?", ["A", "X\\HEAD", "*"]),  # not the empty value
        ("??", ["AB"]),
        ("?*", ["HEAD", "head", "HEAD ", "HEADS", "A[1]%_.", "AB", "A", "X\\HEAD", "*", "Köpfe"]),
        ("A[1]*", ["A[1]%_."]),  # brackets, percent and underscore are themselves
        ("A%", []),
        ("A_", []),
        ("A.", []),
        ("[AB]", []),
        ("%", []),
        (".*", []),
        ("K?pfe", ["Köpfe"]),  # one character, two bytes
        ("K*e", ["Köpfe"]),
        ("KÖPFE", []),
        (["A", "AB"], ["AB", "A"]),
        (["A*", "HEADS"], ["HEADS", "A[1]%_.", "AB", "A"]),
    ],
)
def test_text(index: Index, key: object, matched: list[object]) -> None:
    assert matching(index, LO, key, WORDS) == matched


NAMES: list[object] = [
    "DOE^JOHN",
    "Doe^John^^",
    "doe ^ john",
    "DOE",
    "DOE^JANE",
    "Müller^Jörg",
    "MULLER^JORG",
    "",
    None,
    "Yamada^Tarou=山田^太郎=やまだ^たろう",
    "=山田^花子",
    "ROE^JIM\\DOE^JOHN",
]


@pytest.mark.parametrize(
    ("key", "matched"),
    [
        ("DOE^JOHN", ["DOE^JOHN", "Doe^John^^", "doe ^ john", "ROE^JIM\\DOE^JOHN"]),
        ("doe^john^^^", ["DOE^JOHN", "Doe^John^^", "doe ^ john", "ROE^JIM\\DOE^JOHN"]),
        ("DOE", ["DOE"]),
        ("DOE*", ["DOE^JOHN", "Doe^John^^", "doe ^ john", "DOE", "DOE^JANE", "ROE^JIM\\DOE^JOHN"]),
        ("DOE^J???", ["DOE^JOHN", "Doe^John^^", "doe ^ john", "DOE^JANE", "ROE^JIM\\DOE^JOHN"]),
        ("*john*", ["DOE^JOHN", "Doe^John^^", "doe ^ john", "ROE^JIM\\DOE^JOHN"]),
        ("MULLER^*", ["Müller^Jörg", "MULLER^JORG"]),
        ("müller^jörg", ["Müller^Jörg", "MULLER^JORG"]),
        ("yamada*", ["Yamada^Tarou=山田^太郎=やまだ^たろう"]),
        ("山田*", ["Yamada^Tarou=山田^太郎=やまだ^たろう", "=山田^花子"]),  # any component group
        ("=山田*", ["Yamada^Tarou=山田^太郎=やまだ^たろう", "=山田^花子"]),  # that one
        ("yamada*=*", ["Yamada^Tarou=山田^太郎=やまだ^たろう"]),
        ("==やまだ*", ["Yamada^Tarou=山田^太郎=やまだ^たろう"]),
        ("山田*=", ["Yamada^Tarou=山田^太郎=やまだ^たろう", "=山田^花子"]),
        ("*太?", ["Yamada^Tarou=山田^太郎=やまだ^たろう"]),
        ("*", NAMES),
        ("", NAMES),
        ("?*", [one for one in NAMES if one]),
        (["DOE", "ROE*"], ["DOE", "ROE^JIM\\DOE^JOHN"]),
    ],
)
def test_names(index: Index, key: object, matched: list[object]) -> None:
    assert matching(index, "PatientName", key, NAMES) == matched


def test_names_with_their_accents(index: Index) -> None:
    values: list[object] = ["Müller^Jörg", "MULLER^JORG", "MÜLLER^JÖRG"]
    assert matching(index, "PatientName", "müller*", values, accent_folding=False) == [values[0], values[2]]


@pytest.mark.parametrize(
    ("key", "matched"), [("muller*", ["MULLER^JORG"]), ("m?ller*", ["Müller^Jörg", "MULLER^JORG"])]
)
def test_names_without_accents_do_not_find_accents(index: Index, key: str, matched: list[object]) -> None:
    values: list[object] = ["Müller^Jörg", "MULLER^JORG"]
    assert matching(index, "PatientName", key, values, accent_folding=False) == matched


DATES: list[object] = [
    "20240101",
    "20240102",
    "20231231",
    "2024.01.01",
    "",
    None,
    "20240101\\19990101",
    "2024",
]


@pytest.mark.parametrize(
    ("key", "matched"),
    [
        ("20240101", ["20240101", "2024.01.01", "20240101\\19990101"]),
        ("2024.01.01", ["20240101", "2024.01.01", "20240101\\19990101"]),
        ("20240101-20240102", ["20240101", "20240102", "2024.01.01", "20240101\\19990101"]),
        ("20240102-", ["20240102"]),
        ("-19991231", ["20240101\\19990101"]),
        ("20231231 - 20240101", ["20240101", "20231231", "2024.01.01", "20240101\\19990101", "2024"]),
        ("19990101\\20240102", ["20240102", "20240101\\19990101"]),
        ("19990201-19990231", []),  # bounds need not be in the calendar
        ("00000000-19990231", ["20240101\\19990101"]),
        ("20240102-99999999", ["20240102"]),
        ("20240102 - ", ["20240102"]),
        ("-", [one for one in DATES if one]),
        ("", DATES),
        ("*", DATES),
    ],
)
def test_dates(index: Index, key: str, matched: list[object]) -> None:
    assert sorted(map(str, matching(index, "StudyDate", key, DATES))) == sorted(map(str, matched))


TIMES: list[object] = ["101010", "1010", "10", "101010.5", "235959.999999", "10:10:10", "", None, "000000"]


@pytest.mark.parametrize(
    ("key", "matched"),
    [
        ("101010", ["101010", "10:10:10"]),
        ("101010.000", ["101010", "10:10:10"]),
        ("1010", ["1010"]),
        ("10", ["10"]),
        ("1010-1010", ["101010", "1010", "101010.5", "10:10:10"]),  # all of that minute
        ("10-11", ["101010", "1010", "10", "101010.5", "10:10:10"]),
        ("-1010", ["101010", "1010", "10", "101010.5", "10:10:10", "000000"]),
        ("1011-", ["235959.999999"]),
        ("2300-240000", ["235959.999999"]),
        ("23:00:00-23:59:60", ["235959.999999"]),
        ("2300-999999", ["235959.999999"]),
        ("23-01", []),  # crossing midnight is not supported, PS3.4 C.2.2.2.5
    ],
)
def test_times(index: Index, key: str, matched: list[object]) -> None:
    assert matching(index, "StudyTime", key, TIMES) == matched


@pytest.mark.parametrize(
    ("keyword", "key"),
    [
        ("StudyDate", "2024*"),
        ("StudyDate", "2024013"),
        ("StudyDate", "20240101-2024010"),
        ("StudyDate", "a-b"),
        ("StudyTime", "1"),
        ("StudyTime", "10?0"),
        ("StudyTime", "1010-x"),
        ("StudyDate", "20240101-20240102-"),
        ("StudyDate", "20209999"),
        ("StudyDate", "20200000"),
        ("PatientBirthDate", "20209999"),
        ("StudyDate", "20230229"),
        ("StudyDate", "20240101\\20230229"),
        ("StudyDate", "20240101-20241301"),
        ("StudyDate", "20300101-20200101"),
        ("StudyTime", "240000"),
        ("StudyTime", "1060"),
        ("StudyTime", "101061"),
        ("StudyTime", "1000-2500"),
        ("StudyTime", "1000-1100-1200"),
    ],
)
def test_ranges_that_mean_nothing_are_refused(index: Index, keyword: str, key: str) -> None:
    with pytest.raises(Refused) as caught:
        index.find(ask("STUDY", **{keyword: key}))
    assert caught.value.status == 0xA900
    assert caught.value.offending == (tag_for_keyword(keyword),)
    assert caught.value.comment.startswith(keyword)
    assert len(caught.value.comment) <= 64 and key not in caught.value.comment


@pytest.mark.parametrize(
    ("keyword", "key", "values", "matched"),
    [
        (
            "OtherStudyNumbers",
            "1",
            ["1", " 1", "+1", "01", "2", "", None, "2\\1"],
            ["1", " 1", "+1", "01", "2\\1"],
        ),
        ("PatientWeight", "70", ["70", "70.0", "7E1", "71", None], ["70", "70.0", "7E1"]),
        ("PregnancyStatus", "4", [4, 3, None], [4]),
        ("PatientAge", "050Y", ["050Y", "051Y"], ["050Y"]),
        ("PatientSex", "F*", ["F", "M", "FX"], ["F", "FX"]),
        ("StudyComments", "a\\b", ["a\\b", "a", "b"], ["a\\b"]),  # LT has one value only
        ("AdmissionID", "x" * 9000, ["x" * 9000, "x" * 9001], ["x" * 9000]),
    ],
)
def test_other_vrs(
    index: Index, keyword: str, key: object, values: list[object], matched: list[object]
) -> None:
    assert matching(index, keyword, key, values) == matched


def test_uids_are_not_patterns(index: Index) -> None:
    index.apply([put("1.1", "2.1", "3.1"), put("1.2", "2.2", "3.10")])
    assert found(index, ask("STUDY", StudyInstanceUID="3.*")) == []
    assert len(found(index, ask("STUDY", StudyInstanceUID="*"))) == 2
    assert len(found(index, ask("STUDY", StudyInstanceUID=["3.1", "3.10", "3.100"]))) == 2


def test_ten_thousand_uids(index: Index) -> None:
    index.apply([put(f"1.{n}", f"2.{n}", f"3.{n}") for n in range(300)])
    many = [f"3.{n}" for n in range(250, 10_250)]
    assert len(found(index, ask("STUDY", StudyInstanceUID=many))) == 50


@pytest.mark.parametrize(
    ("key", "matched"),
    [
        ("CT", {"3.1", "3.2"}),
        (["MR", "SR"], {"3.2"}),
        ("C*", {"3.1", "3.2"}),
        ("XA", set()),
        ("", {"3.1", "3.2", "3.3"}),
    ],
)
def test_modalities_in_study(index: Index, key: object, matched: set[str]) -> None:
    index.apply(
        [
            put("1.1", "2.1", "3.1", Modality="CT"),
            put("1.2", "2.2", "3.2", Modality="CT"),
            put("1.3", "2.3", "3.2", Modality="MR"),
            put("1.4", "2.4", "3.3"),
        ]
    )
    answers = found(index, ask("STUDY", StudyInstanceUID="", ModalitiesInStudy=key))
    assert {answer.StudyInstanceUID for answer in answers} == matched


def test_counts_are_keys_too(index: Index) -> None:
    index.apply([put("1.1", "2.1", "3.1"), put("1.2", "2.2", "3.2"), put("1.3", "2.2", "3.2")])
    (answer,) = found(index, ask("STUDY", StudyInstanceUID="", NumberOfStudyRelatedInstances="2"))
    assert answer.StudyInstanceUID == "3.2"


def test_keys_of_one_query_are_all_to_match(index: Index) -> None:
    index.apply(
        [
            put("1.1", "2.1", "3.1", PatientID="A", StudyDate="20240101"),
            put("1.2", "2.2", "3.2", PatientID="A"),
        ]
    )
    assert len(found(index, ask("STUDY", PatientID="A", StudyDate="20240101"))) == 1


@pytest.mark.parametrize(
    "key", ["", "A", "A*", "*B*", "x" * 64, "=", "^^", "==^", "*=", "?=?", "\x00", "*" * 500]
)
def test_no_name_breaks_anything(index: Index, key: str) -> None:
    index.apply(
        [
            put(f"1.{n}", f"2.{n}", f"3.{n}", PatientName=name)
            for n, name in enumerate(
                (
                    "",
                    "^",
                    "=",
                    "^^=^^",
                    "A^B=C^D=E^F=G",
                    "\\",
                    "A\\\\B",
                    " ",
                    "\x00",
                    "=" * 70,
                    "^" * 70,
                    "A" * 2000,
                )
            )
        ]
    )
    for _ in index.find(ask("STUDY", PatientName=key)):
        pass


def test_many_wild_cards_take_linear_time(index: Index) -> None:
    index.apply([put("1.1", "2.1", "3.1", StudyComments="a" * 60_000)])
    key = "*a" * 500 + "*b"
    assert found(index, ask("STUDY", StudyComments=key)) == []
