"""Length lies in items, PDVs and elements (7): every length is checked against what is left of its parent."""

from __future__ import annotations

import contextlib
import struct

import pytest

from tests.hostile.harness import (
    CANNOT_UNDERSTAND,
    DATA_SET_MISMATCH,
    END_SECONDS,
    OUT_OF_RESOURCES,
    Target,
    fresh_uids,
    outcome_of,
)
from tests.support import rawpdu
from tests.support.rawcommand import Field, request
from tests.support.rawdicom import (
    CT_IMAGE_STORAGE,
    EXPLICIT_BE,
    EXPLICIT_LE,
    IMPLICIT_LE,
    STUDY_ROOT_FIND,
    VERIFICATION,
    ConnectionEnded,
    RawConnection,
)
from tests.support.rawelements import (
    ITEM,
    PATIENT_NAME,
    PIXEL_DATA,
    SEQUENCE_END,
    STUDY_INSTANCE_UID,
    UNDEFINED,
    delimiter,
    explicit,
    identifier,
    implicit,
    instance,
    item,
    tag_bytes,
)

REFUSALS = (CANNOT_UNDERSTAND, DATA_SET_MISMATCH, OUT_OF_RESOURCES)
SQ_TAG, TEXT_TAG, UN_TAG = 0x00400275, 0x00324000, 0x00411001
OPEN_SQ = explicit(SQ_TAG, "SQ", b"", UNDEFINED)

EXPLICIT_LIES = {
    "ow_2_gb": explicit(PIXEL_DATA, "OW", b"", 0x7FFFFFFF),
    "ow_4_gb": explicit(PIXEL_DATA, "OW", b"", 0xFFFFFFFE),
    "ow_one_too_long": explicit(PIXEL_DATA, "OW", bytes(100), 102),
    "un_2_gb": explicit(UN_TAG, "UN", b"", 0x80000000),
    "ut_1_gb": explicit(TEXT_TAG, "UT", b"abcd", 1 << 30),
    "lo_too_long": explicit(TEXT_TAG, "LO", b"abcd", 0xFFFF),
    "unknown_vr": tag_bytes(TEXT_TAG) + b"ZZ" + b"abcd" + b"efgh" + bytes(8),
    "unknown_vr_short": tag_bytes(TEXT_TAG) + b"ZZ\x00\x00" + struct.pack("<I", 1 << 31),
    "vr_of_zeros": tag_bytes(TEXT_TAG) + bytes(2) + b"\xff\xff" + b"\xff\xff\xff\x7f",
    "vr_of_ones": tag_bytes(TEXT_TAG) + b"\xff\xff" + b"\xff" * 8,
    "text_of_undefined_length": explicit(TEXT_TAG, "UT", b"abcd", UNDEFINED),
    "sq_longer_than_data": explicit(SQ_TAG, "SQ", item(b""), 1 << 20),
    "item_longer_than_sq": explicit(SQ_TAG, "SQ", item(bytes(8), 1 << 20), 16),
    "item_2_gb": OPEN_SQ + item(b"", 0x7FFFFFFF),
    "element_longer_than_item": OPEN_SQ + item(explicit(TEXT_TAG, "UT", b"", 4096)) + delimiter(SEQUENCE_END),
    "inner_sq_longer_than_item": OPEN_SQ + item(explicit(SQ_TAG, "SQ", b"", 4096)) + delimiter(SEQUENCE_END),
    "sq_without_items": OPEN_SQ + explicit(TEXT_TAG, "LO", "no item") + delimiter(SEQUENCE_END),
    "sq_never_ended": OPEN_SQ,
    "item_never_ended": OPEN_SQ + tag_bytes(ITEM) + struct.pack("<I", UNDEFINED),
    "fragments_never_ended": explicit(PIXEL_DATA, "OB", item(b"") + item(bytes(64)), UNDEFINED),
    "fragment_4_gb": explicit(PIXEL_DATA, "OB", item(b"") + item(b"", 0xFFFFFFF0), UNDEFINED),
    "only_a_tag": tag_bytes(TEXT_TAG),
    "half_a_header": tag_bytes(TEXT_TAG) + b"UT\0\0",
}
IMPLICIT_LIES = {
    "2_gb": implicit(TEXT_TAG, b"", 0x7FFFFFFF),
    "4_gb": implicit(TEXT_TAG, b"abcd", 0xFFFFFFFE),
    "one_too_long": implicit(PIXEL_DATA, bytes(100), 102),
    "sq_longer_than_data": implicit(SQ_TAG, item(b""), 1 << 20),
    "item_longer_than_sq": implicit(SQ_TAG, item(bytes(8), 1 << 20), 16),
    "never_ended": implicit(SQ_TAG, b"", UNDEFINED) + item(b""),
    "half_a_header": tag_bytes(TEXT_TAG) + b"\0\0",
}


@pytest.mark.parametrize("lie", EXPLICIT_LIES)
def test_class_07_element_length_lie_in_explicit_vr_is_refused(target: Target, lie: str) -> None:
    uids = fresh_uids()
    with target.unharmed():
        data = instance(uids, CT_IMAGE_STORAGE, [EXPLICIT_LIES[lie]])
        outcome = target.send_data_set(data, uids[2], EXPLICIT_LE)
        assert outcome.status in REFUSALS, outcome
        assert target.studies_found(uids[0]) == 0


@pytest.mark.parametrize("lie", IMPLICIT_LIES)
def test_class_07_element_length_lie_in_implicit_vr_is_refused(target: Target, lie: str) -> None:
    uids = fresh_uids()
    with target.unharmed():
        data = instance(uids, CT_IMAGE_STORAGE, [IMPLICIT_LIES[lie]], vrs=False)
        assert target.send_data_set(data, uids[2], IMPLICIT_LE).status in REFUSALS
        assert target.studies_found(uids[0]) == 0


def test_class_07_little_endian_data_in_a_big_endian_context_is_refused(target: Target) -> None:
    uids = fresh_uids()
    with target.unharmed():
        assert target.send_data_set(instance(uids, CT_IMAGE_STORAGE), uids[2], EXPLICIT_BE).status in REFUSALS


def test_class_07_length_lie_in_front_of_the_identifiers_is_refused(target: Target) -> None:
    uids = fresh_uids()
    lie = explicit(0x00080008, "CS", "A", 0xFFFE)
    with target.unharmed():
        assert target.send_data_set(lie + instance(uids, CT_IMAGE_STORAGE), uids[2]).status in REFUSALS


@pytest.mark.parametrize("lie", IMPLICIT_LIES)
def test_class_07_length_lie_in_an_identifier_is_refused(target: Target, lie: str) -> None:
    keys = identifier("STUDY", {STUDY_INSTANCE_UID: "", PATIENT_NAME: "*"}) + IMPLICIT_LIES[lie]
    with target.unharmed(), target.associate() as association:
        assert association.find(STUDY_ROOT_FIND, keys)[-1].status in REFUSALS
        assert association.echo() == 0
        association.release()


@pytest.mark.parametrize("length", [0, 1, 3, 200, 1 << 20, 1 << 31, 0xFFFFFFFF, 0xFFFFFFFA])
def test_class_07_pdv_length_lie_is_aborted(target: Target, length: int) -> None:
    echo = request(Field.C_ECHO, VERIFICATION, 1, data=False)
    with target.unharmed(), target.associate() as association:
        association.send(rawpdu.pdu(rawpdu.P_DATA, rawpdu.pdv(1, 3, echo, length)))
        assert outcome_of(association).ended


@pytest.mark.parametrize("rest", [b"\0", b"\0\0\0", b"\0\0\0\x02\x01"])
def test_class_07_pdu_that_ends_inside_a_pdv_head_is_aborted(target: Target, rest: bytes) -> None:
    echo = request(Field.C_ECHO, VERIFICATION, 1, data=False)
    with target.unharmed(), target.associate() as association:
        association.send(rawpdu.pdu(rawpdu.P_DATA, rawpdu.pdv(1, 1, echo[:10]) + rest))
        assert outcome_of(association).ended


def _request_with(items: bytes) -> bytes:
    return rawpdu.pdu(rawpdu.ASSOCIATE_RQ, rawpdu.associate_body("FASTDICOM", "ATTACKER", items))


CONTEXT = rawpdu.item(0x10, rawpdu.APPLICATION_CONTEXT.encode())
PROPOSED = rawpdu.proposal_item(rawpdu.Proposal(1, VERIFICATION, (IMPLICIT_LE,)))
USER = rawpdu.user_information(16384)
ABSTRACT, TRANSFER = rawpdu.uid_item(0x30, VERIFICATION), rawpdu.uid_item(0x40, IMPLICIT_LE)
ITEM_LIES = {
    "application_context": rawpdu.item(0x10, b"1.2", 0xFFFF) + PROPOSED + USER,
    "context": CONTEXT + rawpdu.item(0x20, b"\1\0\0\0", 0xFFFF) + USER,
    "context_too_short": CONTEXT + rawpdu.item(0x20, b"\1", 1) + USER,
    "abstract_syntax": CONTEXT
    + rawpdu.item(0x20, b"\1\0\0\0" + rawpdu.item(0x30, b"1.2", 200) + TRANSFER)
    + USER,
    "transfer_syntax": CONTEXT
    + rawpdu.item(0x20, b"\1\0\0\0" + ABSTRACT + rawpdu.item(0x40, b"1.2", 0xFFFF))
    + USER,
    "user_information": CONTEXT + PROPOSED + rawpdu.item(0x50, rawpdu.item(0x51, bytes(4)), 0xFFFF),
    "maximum_length": CONTEXT + PROPOSED + rawpdu.item(0x50, rawpdu.item(0x51, bytes(4), 0xFFFF)),
    "maximum_length_of_2": CONTEXT + PROPOSED + rawpdu.item(0x50, rawpdu.item(0x51, bytes(2))),
    "implementation": CONTEXT + PROPOSED + rawpdu.item(0x50, rawpdu.item(0x52, b"1.2", 99)),
    "role": CONTEXT + PROPOSED + rawpdu.item(0x50, rawpdu.item(0x54, b"\xff\xff1.2\0\1")),
    "extended": CONTEXT + PROPOSED + rawpdu.item(0x50, rawpdu.item(0x56, b"\xff\xff1.2")),
    "user_identity": CONTEXT + PROPOSED + rawpdu.item(0x50, rawpdu.item(0x58, b"\1\1\xff\xffuser")),
    "half_an_item_head": CONTEXT + PROPOSED + USER + b"\x20\0",
}


@pytest.mark.parametrize("lie", ITEM_LIES)
def test_class_07_item_length_lie_in_the_request_is_not_accepted(target: Target, lie: str) -> None:
    with target.unharmed(), RawConnection.open(target.port) as connection:
        connection.send(_request_with(ITEM_LIES[lie]))
        assert rawpdu.ASSOCIATE_AC not in connection.read_to_end(END_SECONDS)


ODD_REQUESTS = {
    "no_items": b"",
    "no_context": CONTEXT + USER,
    "even_context_id": CONTEXT
    + rawpdu.proposal_item(rawpdu.Proposal(2, VERIFICATION, (IMPLICIT_LE,)))
    + USER,
    "context_id_0": CONTEXT + rawpdu.proposal_item(rawpdu.Proposal(0, VERIFICATION, (IMPLICIT_LE,))) + USER,
    "context_id_twice": CONTEXT + PROPOSED + PROPOSED + USER,
    "no_transfer_syntax": CONTEXT + rawpdu.item(0x20, b"\1\0\0\0" + ABSTRACT) + USER,
    "no_abstract_syntax": CONTEXT + rawpdu.item(0x20, b"\1\0\0\0" + TRANSFER) + USER,
    "uid_of_1000": CONTEXT
    + rawpdu.item(0x20, b"\1\0\0\0" + rawpdu.item(0x30, b"1" * 1000) + TRANSFER)
    + USER,
    "uid_is_no_text": CONTEXT
    + rawpdu.item(0x20, b"\1\0\0\0" + rawpdu.item(0x30, bytes(range(256))) + TRANSFER)
    + USER,
    "300_contexts": CONTEXT + PROPOSED * 300 + USER,
    "2800_transfer_syntaxes": CONTEXT + rawpdu.item(0x20, b"\1\0\0\0" + ABSTRACT + TRANSFER * 2800) + USER,
    "no_user_information": CONTEXT + PROPOSED,
    "user_information_twice": CONTEXT + PROPOSED + USER * 2,
    "unknown_items": CONTEXT + rawpdu.item(0x77, bytes(60000)) + PROPOSED + USER,
    "protocol_version_0": CONTEXT + PROPOSED + USER,
}


@pytest.mark.parametrize("kind", ODD_REQUESTS)
def test_class_07_odd_request_is_answered_one_way_or_the_other(target: Target, kind: str) -> None:
    body = rawpdu.associate_body(
        "FASTDICOM", "ATTACKER", ODD_REQUESTS[kind], version=0 if "version" in kind else 1
    )
    with target.unharmed(), RawConnection.open(target.port, timeout_s=END_SECONDS) as connection:
        connection.send(rawpdu.pdu(rawpdu.ASSOCIATE_RQ, body))
        with contextlib.suppress(ConnectionEnded):
            kind_of_answer, _ = connection.read_pdu()
            assert kind_of_answer in (rawpdu.ASSOCIATE_AC, rawpdu.ASSOCIATE_RJ, rawpdu.ABORT)
