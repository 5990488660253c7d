"""The scan kernel: what it keeps of a Data Set, however that is coded and cut. PS3.5 7."""

from __future__ import annotations

import itertools
from io import BytesIO

import pytest
from pydicom.filereader import read_dataset

from fastdicom.errors import MalformedDataset
from fastdicom.kernels.scan import EVERY_LEVEL, Scanner, WantedTable
from tests.support.elements import (
    BIG,
    CODINGS,
    EXPLICIT,
    IMPLICIT,
    ITEM,
    ITEM_END,
    SEQUENCE_END,
    UNDEFINED,
    Coding,
    Element,
    Item,
    encode,
    head,
    with_lengths,
)
from tests.support.scanning import (
    MODALITY,
    OTHER_IDS,
    PATIENT_NAME,
    PIXEL_DATA,
    PROCEDURE_CODES,
    ROWS,
    SMALL,
    SOP_INSTANCE,
    TABLE,
    refused,
    scan,
)


@pytest.mark.parametrize("coding", CODINGS)
def test_rows_are_explicit_little_endian_whatever_the_source(coding: Coding) -> None:
    patient, study, series, image = scan(encode(SMALL, coding), coding).levels()
    characters, instance, modality, codes, name, rows, *_ = with_lengths(SMALL)
    assert patient == encode([characters, name], EXPLICIT)
    assert study == encode([characters, codes], EXPLICIT)
    assert series == encode([characters, modality], EXPLICIT)
    assert image == encode([characters, instance, rows], EXPLICIT)


@pytest.mark.parametrize("coding", CODINGS)
def test_a_cut_at_any_byte_changes_nothing(coding: Coding) -> None:
    data = encode(SMALL, coding)
    whole = scan(data, coding).levels()
    for cut in range(len(data) + 1):
        assert scan(data, coding, (cut,)).levels() == whole
    assert scan(data, coding, range(1, len(data))).levels() == whole


@pytest.mark.parametrize("coding", CODINGS)
def test_an_end_anywhere_but_between_elements_is_refused(coding: Coding) -> None:
    data = encode(SMALL, coding)
    ends = {0} | set(itertools.accumulate(len(encode([element], coding)) for element in SMALL))
    for end in range(len(data)):
        if end in ends:
            scan(data[:end], coding)
        else:
            refused(data[:end], coding)


def test_feed_says_when_no_wanted_attribute_can_follow() -> None:
    scanner = Scanner(WantedTable([(MODALITY, "CS", 2)]), True, False)
    assert not scanner.feed(encode(SMALL[:3], EXPLICIT))
    assert scanner.feed(encode(SMALL[3:], EXPLICIT))
    assert scanner.feed(b"")


def test_a_long_value_is_skipped_without_its_bytes() -> None:
    data = encode(
        [SMALL[2], Element(PIXEL_DATA, "OW", bytes(1_000_000)), Element(0x7FE10010, "LO", b"X ")], EXPLICIT
    )
    scanner = Scanner(TABLE, True, False)
    scanner.feed(data[:100])
    assert scanner.skippable() == 1_000_000 - (100 - 10 - 12)
    scanner.skip(900_000)
    scanner.feed(data[900_100:])
    scanner.finish()
    assert scanner.offset == len(data)


def test_skipping_more_than_the_value_is_refused() -> None:
    scanner = Scanner(TABLE, True, False)
    scanner.feed(encode([Element(PIXEL_DATA, "OW", bytes(100))], EXPLICIT)[:50])
    with pytest.raises(ValueError, match="not inside a value"):
        scanner.skip(scanner.skippable() + 1)


def test_a_kept_value_may_not_be_skipped() -> None:
    scanner = Scanner(TABLE, True, False)
    scanner.feed(encode([Element(PATIENT_NAME, "PN", b"Doe^Jane")], EXPLICIT)[:10])
    assert scanner.skippable() == 0
    with pytest.raises(ValueError, match="not inside a value"):
        scanner.skip(1)


def test_a_reset_scanner_knows_nothing_of_the_one_before() -> None:
    scanner = scan(encode(SMALL, EXPLICIT), EXPLICIT)
    scanner.reset(True, True)
    scanner.feed(encode([SMALL[2]], BIG))
    scanner.finish()
    assert scanner.levels() == (b"", b"", encode([SMALL[2]], EXPLICIT), b"")
    with pytest.raises(MalformedDataset):
        scanner.feed(b"\0" * 8)
    scanner.reset(True, False)
    scanner.feed(encode(SMALL, EXPLICIT))
    scanner.finish()


def test_a_fault_stays_until_reset() -> None:
    scanner = Scanner(TABLE, True, False)
    for _ in range(2):
        with pytest.raises(MalformedDataset):
            scanner.feed(b"\x08\0\x60\0??\0\0")
    with pytest.raises(MalformedDataset):
        scanner.finish()
    assert scanner.skippable() == 0


# ---- elements that real writers leave ----


def test_elements_out_of_order_are_kept_in_order() -> None:
    scanner = scan(encode([SMALL[5], SMALL[1], SMALL[0]], EXPLICIT), EXPLICIT)
    assert scanner.levels()[3] == encode([SMALL[0], SMALL[1], SMALL[5]], EXPLICIT)


def test_the_first_of_two_elements_with_one_tag_counts() -> None:
    twice = [Element(MODALITY, "CS", b"CT"), Element(MODALITY, "CS", b"MR")]
    assert scan(encode(twice, EXPLICIT), EXPLICIT).value(MODALITY) == b"CT"


@pytest.mark.parametrize("coding", CODINGS)
def test_un_of_undefined_length_is_implicit_little_endian_inside(coding: Coding) -> None:
    content = encode([Element(0x00080100, "SH", b"CODE")], IMPLICIT)
    items = head(ITEM, "", UNDEFINED, IMPLICIT) + content + head(ITEM_END, "", 0, IMPLICIT)
    data = head(PROCEDURE_CODES, "UN", UNDEFINED, coding) + items + head(SEQUENCE_END, "", 0, IMPLICIT)
    after = encode([SMALL[4]], coding)
    expected = Element(PROCEDURE_CODES, "SQ", items=(Item((Element(0x00080100, "SH", b"CODE"),)),))
    scanner = scan(data + after, coding)
    assert scanner.levels()[1] == encode([expected], EXPLICIT)
    assert scanner.value(PATIENT_NAME) == b"Doe^Jane"


def test_un_of_defined_length_counts_as_the_wanted_vr() -> None:
    scanner = scan(encode([Element(PATIENT_NAME, "UN", b"Doe^Jane")], EXPLICIT), EXPLICIT)
    assert scanner.levels()[0] == encode([SMALL[4]], EXPLICIT)


def test_numbers_in_un_are_not_swapped() -> None:
    scanner = scan(encode([Element(ROWS, "UN", b"\x00\x02")], BIG), BIG)
    assert scanner.value(ROWS) == b"\x00\x02"


def test_a_vr_of_a_coming_edition_has_a_long_length() -> None:
    data = b"\x08\0\x08\0ZZ\0\0" + (6).to_bytes(4, "little") + b"abcdef" + encode([SMALL[2]], EXPLICIT)
    assert scan(data, EXPLICIT).value(MODALITY) == b"CT"


def test_encapsulated_pixels_are_walked() -> None:
    pixels = Element(PIXEL_DATA, "OB", fragments=(b"", bytes(100), b"\xfe\xff\xdd\xe0\0\0\0\0"))
    data = encode([SMALL[2], pixels, Element(0xFFFCFFFC, "OB", bytes(10))], EXPLICIT)
    assert scan(data, EXPLICIT, range(1, len(data))).value(MODALITY) == b"CT"


def test_trailing_padding_and_group_lengths_are_elements_like_others() -> None:
    data = encode(
        [Element(0x00080000, "UL", bytes(4)), SMALL[2], Element(0xFFFCFFFC, "OB", bytes(64))], EXPLICIT
    )
    assert scan(data, EXPLICIT).value(MODALITY) == b"CT"


def test_a_superfluous_delimiter_behind_a_stated_length_is_passed_over() -> None:
    data = encode([Element(0x00090010, "SQ"), SMALL[2]], EXPLICIT)
    stray = head(SEQUENCE_END, "", 0, EXPLICIT)
    assert scan(data[:12] + stray + data[12:], EXPLICIT).value(MODALITY) == b"CT"


@pytest.mark.parametrize("coding", CODINGS)
def test_an_empty_sequence_is_kept(coding: Coding) -> None:
    empty = [Element(PROCEDURE_CODES, "SQ"), Element(OTHER_IDS, "SQ", undefined=True)]
    levels = scan(encode(empty, coding), coding).levels()
    assert levels[0] == encode([Element(OTHER_IDS, "SQ")], EXPLICIT)
    assert levels[1] == encode([empty[0]], EXPLICIT)


def test_values_of_odd_length_are_padded() -> None:
    odd = [Element(SOP_INSTANCE, "UI", b"1.2"), Element(PATIENT_NAME, "PN", b"Doe")]
    scanner = scan(encode(odd, EXPLICIT), EXPLICIT)
    assert (scanner.value(SOP_INSTANCE), scanner.value(PATIENT_NAME)) == (b"1.2\0", b"Doe ")


# ---- a surprise is "absent" ----


@pytest.mark.parametrize(
    "surprise",
    [
        Element(SOP_INSTANCE, "LO", b"1.2.3.4 "),
        Element(SOP_INSTANCE, "SQ", items=(Item(()),)),
        Element(SOP_INSTANCE, "OB", b"1.2.3.4\0"),
        Element(SOP_INSTANCE, "ZZ", b"1.2.3.4\0"),
    ],
    ids=lambda element: element.vr,
)
def test_a_uid_with_another_vr_is_absent(surprise: Element) -> None:
    data = encode([surprise, SMALL[2]], EXPLICIT)
    if surprise.vr == "ZZ":
        data = data.replace(b"ZZ\x08\0", b"ZZ\0\0\x08\0\0\0")
    scanner = scan(data, EXPLICIT)
    assert scanner.uid(SOP_INSTANCE) is None
    assert scanner.value(MODALITY) == b"CT"


@pytest.mark.parametrize(("vr", "value"), [("US", b"\0"), ("UL", bytes(4)), ("SS", bytes(2)), ("SQ", b"")])
def test_rows_with_another_type_are_absent(vr: str, value: bytes) -> None:
    assert scan(encode([Element(ROWS, vr, value)], EXPLICIT), EXPLICIT).value(ROWS) is None


def test_a_sequence_with_another_vr_is_absent() -> None:
    data = encode([Element(PROCEDURE_CODES, "OB", bytes(8)), SMALL[2]], EXPLICIT)
    scanner = scan(data, EXPLICIT)
    assert scanner.value(PROCEDURE_CODES) is None
    assert scanner.value(MODALITY) == b"CT"


# ---- accessors ----


@pytest.mark.parametrize(
    ("value", "uid"),
    [
        (b"1.2.3\0", "1.2.3"),
        (b"1.2.34", "1.2.34"),
        (b"1.2.3 ", "1.2.3"),
        (b"", None),
        (b"\0\0", None),
        (b"9" * 64, "9" * 64),
    ],
)
def test_a_uid_comes_without_its_padding(value: bytes, uid: str | None) -> None:
    assert scan(encode([Element(SOP_INSTANCE, "UI", value)], EXPLICIT), EXPLICIT).uid(SOP_INSTANCE) == uid


@pytest.mark.parametrize(
    "value", [b"1.2\\1.3\0", b"../../x\0", b"1.2 3\0", b"1.2\x003", b"1" * 66, b"a.b\0", b"1.2\n"]
)
def test_what_is_no_uid_is_said_to_be_none(value: bytes) -> None:
    scanner = scan(encode([Element(SOP_INSTANCE, "UI", value)], EXPLICIT), EXPLICIT)
    with pytest.raises(ValueError, match=r"no UID has|longer than 64"):
        scanner.uid(SOP_INSTANCE)


@pytest.mark.parametrize("coding", CODINGS)
def test_a_supplied_value_stands_in_its_row(coding: Coding) -> None:
    scanner = scan(encode(SMALL, coding), coding)
    scanner.supply(0x0020000D, b"2.25.1")
    scanner.supply(ROWS, b"\x10\x00")
    assert scanner.uid(0x0020000D) == "2.25.1"
    assert encode([Element(0x0020000D, "UI", b"2.25.1")], EXPLICIT) in scanner.levels()[1]
    assert scanner.value(ROWS) == b"\x10\x00"
    assert scanner.offset == len(encode(SMALL, coding))


def test_a_value_cannot_be_supplied_in_the_middle_of_an_element() -> None:
    scanner = Scanner(TABLE, True, False)
    scanner.feed(b"\x08")
    with pytest.raises(ValueError, match="not at an end"):
        scanner.supply(0x0020000D, b"2.25.1")
    with pytest.raises(ValueError, match="is no value that is wanted"):
        scanner.supply(0x00090000, b"")


def test_a_table_refuses_what_is_no_vr_or_level() -> None:
    with pytest.raises(ValueError, match="no VR"):
        WantedTable([(1, "X", 0)])
    with pytest.raises(ValueError, match="no level"):
        WantedTable([(1, "LO", 9)])
    assert WantedTable([]).count == 0
    assert scan(encode(SMALL, EXPLICIT), EXPLICIT, table=WantedTable([])).levels() == (b"",) * 4


def test_the_last_row_of_a_tag_counts() -> None:
    table = WantedTable([(MODALITY, "CS", 0), (MODALITY, "CS", EVERY_LEVEL)])
    assert (
        scan(encode(SMALL, EXPLICIT), EXPLICIT, table=table).levels() == (encode([SMALL[2]], EXPLICIT),) * 4
    )


def test_rows_read_back_with_pydicom() -> None:
    for row in scan(encode(SMALL, BIG), BIG).levels():
        assert read_dataset(BytesIO(row), False, True).SpecificCharacterSet == "ISO_IR 100"
