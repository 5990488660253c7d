"""Elements of another type than the dictionary's (9): a surprise is an absent value, never a cast."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.hostile.harness import (
    CANNOT_UNDERSTAND,
    DATA_SET_MISMATCH,
    Target,
    fresh_uids,
)
from tests.support.rawdicom import CT_IMAGE_STORAGE, PATIENT_ROOT_FIND, STUDY_ROOT_FIND
from tests.support.rawelements import (
    MODALITY,
    PATIENT_ID,
    PATIENT_NAME,
    QUERY_LEVEL,
    SEQUENCE_END,
    SERIES_INSTANCE_UID,
    SOP_CLASS_UID,
    SOP_INSTANCE_UID,
    SPECIFIC_CHARACTER_SET,
    STUDY_DATE,
    STUDY_INSTANCE_UID,
    UNDEFINED,
    VRS,
    delimiter,
    explicit,
    identifier,
    implicit,
    item,
    tag_bytes,
)

SEQUENCE = item(explicit(PATIENT_NAME, "PN", "Inside^Sequence"))
NEEDED = [SOP_CLASS_UID, SOP_INSTANCE_UID, STUDY_INSTANCE_UID, SERIES_INSTANCE_UID]
OPTIONAL = [PATIENT_NAME, PATIENT_ID, MODALITY, STUDY_DATE, SPECIFIC_CHARACTER_SET]


def as_sequence(tag: int, value: str) -> bytes:
    """The element as a sequence; its value is lost."""
    return explicit(tag, "SQ", SEQUENCE)


def as_undefined(tag: int, value: str) -> bytes:
    """The element as a sequence of undefined length."""
    return explicit(tag, "SQ", SEQUENCE + delimiter(SEQUENCE_END), UNDEFINED)


def as_binary(tag: int, value: str) -> bytes:
    """The element with the right bytes and VR OB."""
    return explicit(tag, "OB", value.encode() + b"\0" * (len(value) % 2))


def as_numbers(tag: int, value: str) -> bytes:
    """The element as doubles."""
    return explicit(tag, "FD", bytes(range(64)))


def as_tags(tag: int, value: str) -> bytes:
    """The element as an odd number of bytes of attribute tags."""
    return explicit(tag, "AT", b"\1\2\3\4\5\6")


def as_fragments(tag: int, value: str) -> bytes:
    """The element as encapsulated fragments."""
    return explicit(tag, "OB", item(b"") + item(value.encode()) + delimiter(SEQUENCE_END), UNDEFINED)


Shape = Callable[[int, str], bytes]
SHAPES: list[Shape] = [as_sequence, as_undefined, as_binary, as_numbers, as_tags, as_fragments]


def with_odd_element(uids: tuple[str, str, str], tag: int, odd: bytes) -> bytes:
    """An instance in which the element `tag` is replaced."""
    values = {
        SPECIFIC_CHARACTER_SET: "ISO_IR 100",
        SOP_CLASS_UID: CT_IMAGE_STORAGE,
        SOP_INSTANCE_UID: uids[2],
        STUDY_DATE: "20240131",
        MODALITY: "CT",
        PATIENT_NAME: "Odd^Type",
        PATIENT_ID: "ODD",
        STUDY_INSTANCE_UID: uids[0],
        SERIES_INSTANCE_UID: uids[1],
    }
    return b"".join(odd if key == tag else explicit(key, VRS[key], value) for key, value in values.items())


def value_for(tag: int, uids: tuple[str, str, str]) -> str:
    """A right value for an odd type."""
    by_tag = {SOP_CLASS_UID: CT_IMAGE_STORAGE, SOP_INSTANCE_UID: uids[2]}
    return by_tag.get(tag, uids[0] if tag == STUDY_INSTANCE_UID else uids[1])


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: str(shape.__name__))
@pytest.mark.parametrize("tag", NEEDED, ids=lambda tag: f"{tag:08X}")
def test_class_09_needed_uid_of_another_type_is_refused_or_read(
    target: Target, tag: int, shape: Shape
) -> None:
    uids = fresh_uids()
    data = with_odd_element(uids, tag, shape(tag, value_for(tag, uids)))
    with target.unharmed() as after:
        outcome = target.send_data_set(data, uids[2])
        if shape is as_binary and outcome.status == 0:  # the right bytes under a wrong VR may count
            after.stored = 1
        else:
            assert outcome.status in (DATA_SET_MISMATCH, CANNOT_UNDERSTAND), outcome


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: str(shape.__name__))
@pytest.mark.parametrize("tag", OPTIONAL, ids=lambda tag: f"{tag:08X}")
def test_class_09_other_attribute_of_another_type_counts_as_absent(
    target: Target, tag: int, shape: Shape
) -> None:
    uids = fresh_uids()
    data = with_odd_element(uids, tag, shape(tag, "12345678"))
    with target.unharmed() as after:
        outcome = target.send_data_set(data, uids[2])
        assert outcome.status in (0, DATA_SET_MISMATCH, CANNOT_UNDERSTAND), outcome
        after.stored = int(outcome.status == 0)
        assert target.studies_found(uids[0]) == after.stored


ODD_KEYS = {
    "item_as_lo": tag_bytes(0xFFFAFFFA) + b"\4\0\0\0abcd",
    "item_delimiter": delimiter(0xFFFEE00D),
    "sequence_delimiter": delimiter(SEQUENCE_END),
    "item_without_sequence": item(implicit(PATIENT_NAME, "x")),
    "name_as_sequence": implicit(
        PATIENT_NAME, item(implicit(PATIENT_ID, "x")) + delimiter(SEQUENCE_END), UNDEFINED
    ),
    "sequence_as_text": implicit(0x00400275, "plain text"),
    "uid_as_binary": implicit(STUDY_INSTANCE_UID, bytes(range(64))),
    "level_as_sequence": implicit(QUERY_LEVEL, item(b"") + delimiter(SEQUENCE_END), UNDEFINED),
    "command_group": implicit(0x00000002, "1.2.3"),
    "file_meta_group": implicit(0x00020010, "1.2.3"),
    "pixel_data": implicit(0x7FE00010, bytes(1000)),
    "odd_length": implicit(PATIENT_NAME, b"abc", 3),
    "odd_group": implicit(0x00091001, "private without creator"),
    "group_length": implicit(0x00080000, b"\xff\xff\xff\xff"),
    "tag_zero": implicit(0, b"\xff\xff\xff\xff"),
}


@pytest.mark.parametrize("model", [STUDY_ROOT_FIND, PATIENT_ROOT_FIND])
@pytest.mark.parametrize("kind", ODD_KEYS)
def test_class_09_odd_key_in_an_identifier_gets_an_answer(target: Target, kind: str, model: str) -> None:
    for keys in (identifier("STUDY") + ODD_KEYS[kind], ODD_KEYS[kind] + identifier("STUDY"), ODD_KEYS[kind]):
        with target.unharmed(), target.associate() as association:
            final = association.find(model, keys)[-1]
            assert final.status == 0 or final.status >> 12 in (0xA, 0xC), f"{final.status:04X}H"
            assert association.echo() == 0
            association.release()


def check_found_or_refused(target: Target, tag: int, element: bytes) -> None:
    """An instance with `element` in the place of `tag` is refused, or stored and found."""
    uids = fresh_uids()
    data = with_odd_element(uids, tag, element)
    with target.unharmed() as after:
        outcome = target.send_data_set(data, uids[2])
        assert outcome.status == 0 or outcome.refused
        after.stored = int(outcome.status == 0)
        assert target.studies_found(uids[0]) == after.stored


@pytest.mark.parametrize(
    "text", ["", "\\", "ISO_IR 100\\" * 1000, "ISO 2022 IR 87\\\x1b$B", "no such set", "\x00"]
)
def test_class_09_odd_character_set_does_no_harm(target: Target, text: str) -> None:
    check_found_or_refused(target, SPECIFIC_CHARACTER_SET, explicit(SPECIFIC_CHARACTER_SET, "CS", text))


@pytest.mark.parametrize(
    "name", ["\x1b$B" * 500, "\x1b\x1b\x1b", "^" * 1000, "=" * 1000, "\\" * 1000, "\xff" * 200, "a" * 10_000]
)
def test_class_09_odd_person_name_does_no_harm(target: Target, name: str) -> None:
    check_found_or_refused(target, PATIENT_NAME, explicit(PATIENT_NAME, "PN", name))
