"""The kernels that read, match and encode index rows: against plain Python, and against damaged bytes."""

from __future__ import annotations

import re
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastdicom.dataset.recoded import element, item
from fastdicom.index.folding import folded_name
from fastdicom.index.packed import pack_block, unpack_block
from fastdicom.index.schema import Tally, pack_row
from fastdicom.kernels import rows
from fastdicom.kernels.query import (
    ANY_OF,
    CALL,
    COMPUTED,
    DATE,
    IMAGE,
    LIKE,
    MEMBER,
    NAME,
    PATIENT,
    SERIES,
    STUDY,
    TIME,
    UNIVERSAL,
    Selector,
    matches_like,
)

NAME_TAG, ID_TAG, DATE_TAG = 0x00100010, 0x00100020, 0x00080020
ROW = pack_row(
    b"headhead",
    element(NAME_TAG, "PN", b"Doe^John") + element(ID_TAG, "LO", b"P1"),
    element(0x00080020, "DA", b"20240101") + element(0x00081032, "SQ", item(element(0x00080100, "SH", b"A"))),
    b"",
)


@settings(max_examples=500)
@given(st.text("ab*?é", max_size=8), st.text("abé", max_size=8))
def test_wild_cards_are_what_a_regular_expression_says(pattern: str, value: str) -> None:
    expression = "".join({"*": ".*", "?": "."}.get(one, re.escape(one)) for one in pattern)
    expected = re.fullmatch(expression, value) is not None
    assert matches_like(pattern.encode(), value.encode()) is expected


@settings(max_examples=500)
@given(st.text("aAb^= \x00", max_size=14))
def test_the_kernel_folds_ascii_names_as_the_index_does(name: str) -> None:
    folded = folded_name(name).encode()
    row = pack_row(b"", element(NAME_TAG, "PN", name.encode()), b"", b"")
    selector = Selector([(NAME_TAG, "PN", PATIENT, False, NAME, (folded,))])
    assert selector.take(STUDY, row) is any(folded.split(b"="))


def test_a_walk_finds_what_is_there() -> None:
    selector = Selector(
        [
            (DATE_TAG, "DA", STUDY, True, DATE, (b"20240101", b"20240101")),
            (0x00080050, "SH", STUDY, True, UNIVERSAL, None),
            (NAME_TAG, "PN", PATIENT, True, NAME, (b"doe*",)),
            (ID_TAG, "LO", PATIENT, True, ANY_OF, (b"P1", b"P2")),
        ]
    )
    assert selector.take(STUDY, ROW)
    assert selector.value(0) == b"20240101" and selector.value(1) is None
    assert rows.elements(selector.encode()) == [
        (0x00080020, "DA", b"20240101"),
        (0x00080050, "SH", b""),
        (NAME_TAG, "PN", b"Doe^John"),
        (ID_TAG, "LO", b"P1"),
    ]
    selector.release()
    assert selector.value(0) is None
    assert sum(selector.visited) == 1


@pytest.mark.parametrize(
    ("kind", "operand", "expected"),
    [
        (UNIVERSAL, None, True),
        (ANY_OF, (b"P1",), True),
        (ANY_OF, (b"p1",), False),
        (LIKE, (b"?1",), True),
        (MEMBER, frozenset({b"P1"}), True),
        (MEMBER, frozenset({b"P2"}), False),
        (CALL, lambda value: value == b"P1", True),
        (CALL, lambda value: value is None, False),
    ],
)
def test_each_kind_of_matching(kind: int, operand: object, expected: bool) -> None:
    assert Selector([(ID_TAG, "LO", PATIENT, False, kind, operand)]).take(STUDY, ROW) is expected


def test_an_exception_of_a_callable_comes_through() -> None:
    def broken(value: bytes | None) -> bool:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        Selector([(ID_TAG, "LO", PATIENT, False, CALL, broken)]).take(STUDY, ROW)


@pytest.mark.parametrize(
    "specification",
    [
        [(2, "LO", 0, True, UNIVERSAL, None), (1, "LO", 0, True, UNIVERSAL, None)],
        [(1, "L", 0, True, UNIVERSAL, None)],
        [(1, "LO", 9, True, UNIVERSAL, None)],
        [(1, "DA", 0, True, DATE, (b"2024", b""))],
        [(1, "DA", 0, True, DATE, (b"20240101",))],
        [(1, "TM", 0, True, TIME, (b"1010", b""))],
        [(n, "LO", 0, True, UNIVERSAL, None) for n in range(600)],
    ],
)
def test_a_bad_specification_is_refused(specification: list[tuple[int, str, int, bool, int, object]]) -> None:
    with pytest.raises(ValueError):
        Selector(specification)


def everything() -> Selector:
    return Selector(
        [
            (DATE_TAG, "DA", STUDY, True, UNIVERSAL, None),
            (0x00081032, "SQ", STUDY, True, UNIVERSAL, None),
            (NAME_TAG, "PN", PATIENT, True, NAME, (b"*o*",)),
            (ID_TAG, "LO", PATIENT, True, UNIVERSAL, None),
        ],
        explicit_vr=False,
    )


def test_damaged_rows_raise_or_are_short() -> None:
    for end in range(len(ROW)):
        with pytest.raises(ValueError, match="do not add up"):
            everything().take(STUDY, ROW[:end])
    selector = everything()
    for at in range(16, len(ROW)):
        for byte in (0, 0xFF, 0x7F):
            damaged = ROW[:at] + bytes((byte,)) + ROW[at + 1 :]
            selector.take(STUDY, damaged)
            selector.encode()


def test_blocks_of_rows() -> None:
    one = [ROW if n % 3 == 0 else b"" for n in range(16)]
    block = pack_block(one)
    assert unpack_block(block) == one
    assert [rows.packed(block, n) for n in range(16)] == one
    selector = Selector([(ID_TAG, "LO", PATIENT, False, ANY_OF, (b"P1",))])
    found, slot = [], selector.take_packed(STUDY, block, 0)
    while slot >= 0:
        found.append(slot)
        assert selector.head(block, slot) == b"headhead"
        slot = selector.take_packed(STUDY, block, slot + 1)
    assert found == [0, 3, 6, 9, 12, 15]
    for end in range(len(block)):
        with pytest.raises(ValueError):
            cut = selector.take_packed(STUDY, block[:end], 0)
            while cut >= 0:
                cut = selector.take_packed(STUDY, block[:end], cut + 1)


@pytest.mark.parametrize("explicit_vr", [True, False])
@pytest.mark.parametrize("big_endian", [True, False])
def test_encodings(explicit_vr: bool, big_endian: bool) -> None:
    selector = Selector(
        [(0x00280010, "US", IMAGE, True, UNIVERSAL, None), (0x00281101, "UT", IMAGE, True, UNIVERSAL, None)],
        explicit_vr=explicit_vr,
        big_endian=big_endian,
    )
    selector.take(IMAGE, pack_row(b"", b"", element(0x00280010, "US", b"\1\2\3\4"), b""))
    order = ">" if big_endian else "<"
    numbers = struct.pack(order + "HH", 0x0201, 0x0403)
    first, second = struct.pack(order + "HH", 0x28, 0x10), struct.pack(order + "HH", 0x28, 0x1101)
    if explicit_vr:
        first += b"US" + struct.pack(order + "H", 4)
        second += b"UT\0\0" + struct.pack(order + "I", 0)
    else:
        first += struct.pack(order + "I", 4)
        second += struct.pack(order + "I", 0)
    assert selector.encode() == first + numbers + second


def test_the_charset_says_what_the_text_is() -> None:
    slots = [
        (0x00080005, "CS", COMPUTED, True, UNIVERSAL, None),
        (NAME_TAG, "PN", PATIENT, True, UNIVERSAL, None),
    ]
    selector = Selector(slots, plain_charset=b"ISO_IR 144")
    selector.take(PATIENT, pack_row(b"", b"", element(NAME_TAG, "PN", b"A"), b""))
    assert b"ISO_IR 144" in selector.encode() and not selector.non_ascii
    selector.take(PATIENT, pack_row(b"", b"", element(NAME_TAG, "PN", "Ä".encode()), b""))
    assert b"ISO_IR 192" in selector.encode() and selector.non_ascii
    assert selector.texts() == [(1, "PN", "Ä".encode())]
    assert selector.encode_with(b"X", {1: b"A"}) == element(0x00080005, "CS", b"X") + element(
        NAME_TAG, "PN", b"A"
    )


def test_tallies_are_read_where_they_stand() -> None:
    tally = Tally(1, 2, 3, 4, {b"CT": 1, b"MR": 1}, {b"1.2": 3})
    slots = [(n, "IS", COMPUTED, True, UNIVERSAL, None) for n in range(1, 5)]
    slots.append((5, "UI", COMPUTED, True, ANY_OF, (b"1.2",)))
    selector = Selector(slots)
    for index, field in enumerate((1, 2, 3, 4, 5)):
        selector.counts(index, STUDY, field)
    packed = tally.pack()
    assert selector.count(STUDY, packed)
    assert [selector.value(n) for n in range(5)] == [b"1", b"2", b"3", b"CT\\MR", b"1.2"]
    assert selector.count(SERIES, packed)
    assert not selector.count(STUDY, Tally(1, 2, 3, 4, {}, {b"1.3": 1}).pack())
    for end in range(len(packed) - 4 * 3):
        with pytest.raises(ValueError):
            selector.count(STUDY, packed[:end])
    assert Tally.unpack(packed) == tally


def test_rows_take_no_buffer_along() -> None:
    data = bytearray(ROW)
    selector = everything()
    selector.take(STUDY, data)
    with pytest.raises(BufferError):
        data.append(0)
    selector.release()
    data.append(0)


@pytest.mark.parametrize(
    "damage", [b"\xff" * 8, b"\x08\x00\x05\x00CS\xff\xff", b"\x08\x00\x05\x00SQ\0\0\xff\xff\xff\xff"]
)
def test_bytes_that_are_no_data_set(damage: bytes) -> None:
    assert not rows.text_is_plain(damage)
    assert rows.value_of(damage, 0x00080005) is None
    with pytest.raises(ValueError):
        rows.elements(damage)
    with pytest.raises(ValueError):
        rows.items(damage)
    with pytest.raises(ValueError):
        rows.parts(damage)


def test_plain_text() -> None:
    assert rows.text_is_plain(b"")
    assert rows.text_is_plain(element(0x00280010, "US", b"\xff\xff") + element(NAME_TAG, "PN", b"A^B"))
    assert not rows.text_is_plain(element(NAME_TAG, "PN", b"\xc4"))
    assert not rows.text_is_plain(element(NAME_TAG, "PN", b"\x1b$B"))
    deep = element(
        0x00081032, "SQ", item(element(0x00081032, "SQ", item(element(0x00080104, "LO", b"\xc4"))))
    )
    assert not rows.text_is_plain(deep)
