"""Limits and lies: what a Data Set may not do to the scan kernel. Classes 4, 7 and 9 of the threat list."""

from __future__ import annotations

import re
import tracemalloc

import pytest

from fastdicom.dataset.attributes import ATTRIBUTES
from fastdicom.errors import MalformedDataset
from fastdicom.kernels.recode import Recoder
from fastdicom.kernels.scan import Scanner
from tests.support.elements import (
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
)
from tests.support.scanning import (
    MODALITY,
    PATIENT_NAME,
    PIXEL_DATA,
    PROCEDURE_CODES,
    SMALL,
    TABLE,
    refused,
    scan,
)

# ---- limits ----


def nested(depth: int, coding: Coding, undefined: bool) -> bytes:
    """Sequences within items within sequences."""
    content = b""
    for _ in range(depth):
        item = head(ITEM, "", UNDEFINED if undefined else len(content), coding) + content
        item += head(ITEM_END, "", 0, coding) if undefined else b""
        content = head(PROCEDURE_CODES, "SQ", UNDEFINED if undefined else len(item), coding) + item
        content += head(SEQUENCE_END, "", 0, coding) if undefined else b""
    return content


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("undefined", [False, True])
def test_nesting_stops_at_the_limit(coding: Coding, undefined: bool) -> None:
    scan(nested(64, coding, undefined), coding)
    assert "nested too deeply" in str(refused(nested(65, coding, undefined), coding))
    assert "nested too deeply" in str(refused(nested(10_000, coding, undefined), coding))


def test_ten_thousand_open_sequences_are_refused() -> None:
    opening = head(PROCEDURE_CODES, "SQ", UNDEFINED, EXPLICIT) + head(ITEM, "", UNDEFINED, EXPLICIT)
    assert refused(opening * 10_000).offset == 64 * 20


def test_deep_nesting_inside_un_counts_too() -> None:
    opening = head(PROCEDURE_CODES, "UN", UNDEFINED, EXPLICIT) + head(ITEM, "", UNDEFINED, IMPLICIT)
    deeper = head(PROCEDURE_CODES, "", UNDEFINED, IMPLICIT) + head(ITEM, "", UNDEFINED, IMPLICIT)
    assert "nested too deeply" in str(refused(opening + deeper * 100))


def test_a_value_above_the_cap_is_skipped_and_listed() -> None:
    comment = 0x00204000
    data = encode([Element(comment, "LT", bytes(5000)), Element(PIXEL_DATA, "OW", b"")], EXPLICIT)
    scanner = Scanner(TABLE, True, False, value_length_max=4096)
    scanner.feed(data)
    scanner.finish()
    assert scanner.skipped == (comment,)
    assert scanner.value(comment) is None


def test_a_sequence_above_the_cap_is_skipped_and_listed() -> None:
    item = Item((Element(0x00080104, "LO", bytes(60)),))
    data = encode([Element(PROCEDURE_CODES, "SQ", items=(item,) * 100), SMALL[4]], EXPLICIT)
    scanner = Scanner(TABLE, True, False, value_length_max=4096)
    scanner.feed(data)
    scanner.finish()
    assert scanner.skipped == (PROCEDURE_CODES,)
    assert scanner.value(PATIENT_NAME) == b"Doe^Jane"


def test_the_rows_together_have_a_cap() -> None:
    values = [
        Element(row.tag, row.vr, bytes(1000)) for row in ATTRIBUTES if row.vr in ("LO", "SH", "PN", "LT")
    ]
    data = encode(sorted(values, key=lambda element: element.tag), EXPLICIT)
    scanner = Scanner(TABLE, True, False, row_length_max=10_000)
    scanner.feed(data)
    scanner.finish()
    kept = sum(map(len, scanner.levels()))
    assert 9_000 < kept <= 10_000
    assert len(scanner.skipped) == len(values) - kept // 1008


def test_a_value_too_long_for_its_vr_is_skipped() -> None:
    scanner = Scanner(TABLE, False, False, value_length_max=1 << 20)
    scanner.feed(encode([Element(PATIENT_NAME, "PN", bytes(70_000))], IMPLICIT))
    scanner.finish()
    assert scanner.skipped == (PATIENT_NAME,)


@pytest.mark.parametrize("limits", [{"depth_max": 0}, {"depth_max": 10_001}, {"row_length_max": 1 << 40}])
def test_a_limit_that_makes_no_sense_is_refused(limits: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="has to be"):
        Scanner(TABLE, True, False, **limits)


@pytest.mark.parametrize("limit", [0, 1, 11, 12])
def test_tiny_limits_keep_nothing_and_break_nothing(limit: int) -> None:
    scanner = Scanner(TABLE, True, False, value_length_max=limit, row_length_max=limit)
    scanner.feed(encode(SMALL, EXPLICIT))
    scanner.finish()
    assert sum(map(len, scanner.levels())) <= 4 * limit
    assert MODALITY in scanner.skipped or limit >= 10


def test_elements_have_a_limit() -> None:
    data = encode([Element(0x00091000 + number, "UN") for number in range(100)], EXPLICIT)
    scanner = Scanner(TABLE, True, False, element_count_max=100)
    scanner.feed(data)
    scanner.finish()
    assert "one element too many" in str(refused(data + encode([SMALL[2]], EXPLICIT), element_count_max=100))


# ---- lies ----


def sequence(length: int = UNDEFINED) -> bytes:
    return head(PROCEDURE_CODES, "SQ", length, EXPLICIT)


def item(length: int = UNDEFINED) -> bytes:
    return head(ITEM, "", length, EXPLICIT)


def item_end(length: int = 0) -> bytes:
    return head(ITEM_END, "", length, EXPLICIT)


def sequence_end(length: int = 0) -> bytes:
    return head(SEQUENCE_END, "", length, EXPLICIT)


MODALITY_HEAD = head(MODALITY, "CS", 4, EXPLICIT)
FRAGMENTS = head(PIXEL_DATA, "OB", UNDEFINED, EXPLICIT)
LONGER, ITEM_WANTED = "is longer than what encloses it", "stands where an item has to be"
# What stands there, what is said of it, and which byte of it is named.
LIES = {
    "no VR": (b"\x08\0\x60\0\x02\0\0\0CT", "has no VR", 0),
    "VR in small letters": (b"\x08\0\x60\0cs\x02\0CT", "has no VR", 0),
    "value to 4 GB": (head(PIXEL_DATA, "OW", 0xFFFFFFFE, EXPLICIT) + bytes(100), "is cut short", 0),
    "unknown VR with text as length": (b"\x08\0\x60\0ZZ\0\0abcd" + bytes(100), "is cut short", 0),
    "item longer than its sequence": (sequence(8) + item(0xFFFF) + bytes(99999), LONGER, 12),
    "sequence longer than its item": (sequence(20) + item(12) + sequence(9) + bytes(100), LONGER, 20),
    "value longer than its item": (sequence(18) + item(10) + MODALITY_HEAD + bytes(100), LONGER, 20),
    "value longer than what is around its open item": (
        sequence(18) + item() + MODALITY_HEAD + bytes(100),
        LONGER,
        20,
    ),
    "fragment longer than its item": (sequence(36) + item(28) + FRAGMENTS + item(9) + bytes(99), LONGER, 32),
    "head longer than its item": (sequence(12) + item(4) + MODALITY_HEAD + bytes(99), "does not fit", 20),
    "no item in a sequence": (sequence() + MODALITY_HEAD + bytes(4), ITEM_WANTED, 12),
    "item at the top": (item(0), "stands where an element has to be", 0),
    "sequence end in an open item": (sequence() + item() + sequence_end(), "stands where an element", 20),
    "item end in a sequence": (sequence() + item_end(), ITEM_WANTED, 12),
    "item end with a length": (
        sequence() + item() + item_end(4) + bytes(4),
        "is a delimiter with a length",
        20,
    ),
    "sequence end with a length": (
        sequence() + sequence_end(4) + bytes(4),
        "is a delimiter with a length",
        12,
    ),
    "fragment of undefined length": (FRAGMENTS + item(), "is a fragment of undefined length", 12),
    "fragment to 4 GB": (FRAGMENTS + item(0xFFFFFFF0), "is cut short", 12),
    "fragments without end": (FRAGMENTS + item(2) + b"12", "is open at", 22),
    "element among fragments": (FRAGMENTS + MODALITY_HEAD + bytes(4), ITEM_WANTED, 12),
    "end of fragments with a length": (
        FRAGMENTS + sequence_end(2) + bytes(2),
        "is a delimiter with a length",
        12,
    ),
    "text of undefined length": (head(0x00081190, "UT", UNDEFINED, EXPLICIT), "may not have undefined", 0),
    "open sequence": (sequence(), "is open at", 12),
    "open item": (sequence() + item(), "is open at", 20),
    "cut head": (b"\x08\0\x60\0", "ends inside an element's head", 0),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_refused_at_the_byte_where_it_stands(lie: str) -> None:
    innocent = encode(SMALL[:2], EXPLICIT)
    data, sentence, offset = LIES[lie]
    error = refused(innocent + data)
    assert sentence in str(error)
    assert error.offset == len(innocent) + offset
    assert f"byte {error.offset}" in str(error)


@pytest.mark.parametrize("lie", LIES)
def test_the_recoder_says_the_same_of_it(lie: str) -> None:
    data, sentence, offset = LIES[lie]
    with pytest.raises(MalformedDataset, match=re.escape(sentence)) as caught:
        Recoder(data, True, False, False, False, encapsulated=True)
    assert caught.value.offset == offset


def test_memory_does_not_follow_a_length_field() -> None:
    tracemalloc.start()
    scanner = Scanner(TABLE, True, False)
    scanner.feed(head(0x00204000, "UT", 0xFFFFFFF0, EXPLICIT) + bytes(100))
    scanner.feed(b"")
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()
    assert scanner.skippable() == 0xFFFFFFF0 - 100


def test_only_two_capital_letters_are_a_vr_whichever_way_the_element_is_taken() -> None:
    """The short way through plain elements must not know other VRs than the general one."""
    for pair in range(1 << 16):
        vr = pair.to_bytes(2, "big")
        valid = all(0x41 <= letter <= 0x5A for letter in vr)
        data = b"\x09\x00\x01\x10" + vr + bytes(6)
        for make in (lambda data: Scanner(TABLE, True, False).feed(data), recoder):
            try:
                make(data)
            except MalformedDataset as error:
                assert valid != ("has no VR" in str(error)), vr
            else:
                assert valid, vr


def recoder(data: bytes) -> Recoder:
    return Recoder(data, True, False, True, True)
