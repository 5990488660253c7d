"""DIMSE without its mandatory fields (8): Command Sets that lack, lie or make no sense."""

from __future__ import annotations

import random
import struct

import pytest

from tests.hostile.harness import Outcome, Target, fresh_uids, outcome_of
from tests.support import rawpdu
from tests.support.rawcommand import (
    DATA_SET_FOLLOWS,
    NO_DATA_SET,
    RESPONSE,
    Element,
    Field,
    Value,
    cancel,
    command_set,
    encode_element,
    request,
)
from tests.support.rawdicom import (
    CT_IMAGE_STORAGE,
    STUDY_ROOT_FIND,
    STUDY_ROOT_MOVE,
    VERIFICATION,
    ConnectionEnded,
    RawAssociation,
)
from tests.support.rawelements import STUDY_INSTANCE_UID, identifier, instance

ECHO: dict[int, Value] = {
    Element.AFFECTED_SOP_CLASS_UID: VERIFICATION,
    Element.COMMAND_FIELD: Field.C_ECHO,
    Element.MESSAGE_ID: 1,
    Element.DATA_SET_TYPE: NO_DATA_SET,
}
STORE: dict[int, Value] = {
    Element.AFFECTED_SOP_CLASS_UID: CT_IMAGE_STORAGE,
    Element.COMMAND_FIELD: Field.C_STORE,
    Element.MESSAGE_ID: 1,
    Element.PRIORITY: 0,
    Element.DATA_SET_TYPE: DATA_SET_FOLLOWS,
    Element.AFFECTED_SOP_INSTANCE_UID: "1.2.3.4",
}
FIND: dict[int, Value] = {
    Element.AFFECTED_SOP_CLASS_UID: STUDY_ROOT_FIND,
    Element.COMMAND_FIELD: Field.C_FIND,
    Element.MESSAGE_ID: 1,
    Element.PRIORITY: 0,
    Element.DATA_SET_TYPE: DATA_SET_FOLLOWS,
}
MOVE = FIND | {
    Element.AFFECTED_SOP_CLASS_UID: STUDY_ROOT_MOVE,
    Element.COMMAND_FIELD: Field.C_MOVE,
    Element.MOVE_DESTINATION: "NOWHERE",
}
BY_NAME = {"echo": (ECHO, 1), "store": (STORE, 3), "find": (FIND, 11), "move": (MOVE, 15)}
MANDATORY = [
    (name, int(element))
    for name, (values, _) in BY_NAME.items()
    for element in values
    if element != Element.PRIORITY  # its absence harms nobody
]


def react(association: RawAssociation, context: int, command: bytes, data: bytes | None = None) -> Outcome:
    """Send a message and wait for the reaction; a status must leave the association usable."""
    try:
        association.send_command(context, command)
        if data is not None:
            association.send_data(context, data)
    except ConnectionEnded:
        pass  # aborted before the Data Set: the reaction is read next
    outcome = outcome_of(association)
    if not outcome.ended:
        assert association.echo() == 0
        association.release()
    return outcome


def data_for(name: str) -> bytes | None:
    """The Data Set that belongs to the request."""
    if name == "echo":
        return None
    if name == "store":
        return instance(fresh_uids(), CT_IMAGE_STORAGE)
    return identifier("STUDY", {STUDY_INSTANCE_UID: "1.2.3"})


def check_failed(outcome: Outcome) -> None:
    """An abort, or a failure status."""
    assert outcome.ended or outcome.refused, outcome


@pytest.mark.parametrize(("name", "element"), MANDATORY)
def test_class_08_request_without_a_mandatory_field_fails(target: Target, name: str, element: int) -> None:
    values, context = BY_NAME[name]
    command = command_set({key: value for key, value in values.items() if key != element})
    with target.unharmed(), target.associate() as association:
        check_failed(react(association, context, command, data_for(name)))


@pytest.mark.parametrize("raw", [b"", b"\1", b"\1\0\0", b"\1\0\0\0", bytes(8), bytes(4096)])
@pytest.mark.parametrize("element", [Element.COMMAND_FIELD, Element.MESSAGE_ID, Element.DATA_SET_TYPE])
def test_class_08_number_of_a_wrong_size_fails(target: Target, element: int, raw: bytes) -> None:
    with target.unharmed(), target.associate() as association:
        check_failed(react(association, 1, command_set(ECHO | {element: raw})))


WRONG_UIDS: list[bytes] = [
    b"",
    b"\0",
    b"not a uid",
    b"1." * 4000,
    b"1.2\\1.3",
    b"\xff\xfe\xfd\xfc",
    b" " * 64,
]


@pytest.mark.parametrize("uid", WRONG_UIDS, ids=range(len(WRONG_UIDS)))
@pytest.mark.parametrize("element", [Element.AFFECTED_SOP_CLASS_UID, Element.AFFECTED_SOP_INSTANCE_UID])
def test_class_08_store_with_a_uid_that_is_none_fails(target: Target, element: int, uid: bytes) -> None:
    uids = fresh_uids()
    values = STORE | {Element.AFFECTED_SOP_INSTANCE_UID: uids[2], element: uid}
    with target.unharmed(), target.associate() as association:
        check_failed(react(association, 3, command_set(values), instance(uids, CT_IMAGE_STORAGE)))


def test_class_08_uids_of_command_and_data_set_must_agree(target: Target) -> None:
    uids = fresh_uids()
    with target.unharmed():
        outcome = target.send_data_set(instance(uids, CT_IMAGE_STORAGE), uids[2] + ".9")
        assert outcome.status == 0xA900 and outcome.comment
        wrong_class = instance(uids, "1.2.840.10008.5.1.4.1.1.4")
        assert target.send_data_set(wrong_class, uids[2]).status == 0xA900
        assert target.studies_found(uids[0]) == 0


def test_class_08_class_of_the_command_must_be_that_of_the_context(target: Target) -> None:
    uids = fresh_uids()
    mr = "1.2.840.10008.5.1.4.1.1.4"
    values = STORE | {Element.AFFECTED_SOP_CLASS_UID: mr, Element.AFFECTED_SOP_INSTANCE_UID: uids[2]}
    with target.unharmed(), target.associate() as association:
        check_failed(react(association, 3, command_set(values), instance(uids, mr)))


@pytest.mark.parametrize("context", [1, 11, 15])
def test_class_08_store_on_a_context_of_another_service_fails(target: Target, context: int) -> None:
    uids = fresh_uids()
    command = command_set(STORE | {Element.AFFECTED_SOP_INSTANCE_UID: uids[2]})
    with target.unharmed(), target.associate() as association:
        check_failed(react(association, context, command, instance(uids, CT_IMAGE_STORAGE, vrs=False)))


@pytest.mark.parametrize(
    "field", [0x0000, 0x0002, 0x0100, 0x0110, 0x0120, 0x0130, 0x0140, 0x0150, 0x1234, 0x7FFF]
)
def test_class_08_operation_that_is_not_offered_fails(target: Target, field: int) -> None:
    with target.unharmed(), target.associate() as association:
        check_failed(react(association, 1, command_set(ECHO | {Element.COMMAND_FIELD: field})))


@pytest.mark.parametrize("field", [Field.C_STORE, Field.C_FIND, Field.C_MOVE, Field.C_ECHO])
def test_class_08_response_that_nobody_asked_for_is_aborted(target: Target, field: int) -> None:
    values: dict[int, Value] = {
        Element.AFFECTED_SOP_CLASS_UID: VERIFICATION,
        Element.COMMAND_FIELD: field | RESPONSE,
        Element.MESSAGE_ID_RESPONDED_TO: 77,
        Element.DATA_SET_TYPE: NO_DATA_SET,
        Element.STATUS: 0,
    }
    with target.unharmed(), target.associate() as association:
        association.send_command(1, command_set(values))
        # an abort, or nothing: then the next request is served
        try:
            assert association.echo() == 0
        except ConnectionEnded:
            return
        association.release()


def test_class_08_cancel_of_nothing_is_ignored(target: Target) -> None:
    with target.unharmed(), target.associate() as association:
        for message_id in (0, 1, 77, 0xFFFF):
            association.send_command(11, cancel(message_id))
        assert association.echo() == 0
        association.release()


GARBAGE = {
    "zeros": bytes(512),
    "ones": b"\xff" * 512,
    "noise": random.Random(8).randbytes(3000),
    "empty": b"",
    "half_a_header": b"\0\0\0\0\4\0",
    "element_too_long": command_set(ECHO) + encode_element(0x0902, b"x", 0xFFFF),
    "element_4_gb": command_set(ECHO) + encode_element(0x0902, b"x", 0xFFFFFFFF),
    "explicit_vr": b"\0\0\0\0UL\4\0" + struct.pack("<I", 100) + b"\0\0\0\1US\2\0" + b"\x30\0",
    "other_group": struct.pack("<HHI", 0x0010, 0x0010, 4) + b"Evil",
}


@pytest.mark.parametrize("kind", GARBAGE)
def test_class_08_garbage_for_a_command_set_fails(target: Target, kind: str) -> None:
    with target.unharmed(), target.associate() as association:
        check_failed(react(association, 1, GARBAGE[kind]))


@pytest.mark.parametrize("length", [0, 1, 1 << 31, 0xFFFFFFFF])
def test_class_08_group_length_lie_does_no_harm(target: Target, length: int) -> None:
    with target.unharmed(), target.associate() as association:
        outcome = react(association, 1, command_set(ECHO, group_length=length))
        assert outcome.ended or outcome.status == 0 or outcome.refused


def test_class_08_elements_twice_and_out_of_order_do_no_harm(target: Target) -> None:
    elements = [encode_element(key, value) for key, value in ECHO.items()]
    command = b"".join(reversed(elements)) + b"".join(elements * 3)
    with target.unharmed(), target.associate() as association:
        outcome = react(association, 1, command)
        assert outcome.ended or outcome.status == 0 or outcome.refused


def test_class_08_announced_data_set_that_does_not_come(target: Target) -> None:
    echo = request(Field.C_ECHO, VERIFICATION, 9, data=False)
    with target.unharmed(), target.associate() as association:
        association.send_command(3, command_set(STORE))
        association.send_command(1, echo)
        assert outcome_of(association).ended


def test_class_08_data_set_that_was_not_announced(target: Target) -> None:
    with target.unharmed(), target.associate() as association:
        association.send_command(1, command_set(ECHO))
        association.send_data(1, b"\x10\0\x10\0\4\0\0\0Evil")
        first = outcome_of(association)
        assert first.ended or first.status == 0
        if not first.ended:
            assert outcome_of(association).ended


def test_class_08_fields_longer_than_the_standard_allows(target: Target) -> None:
    values = MOVE | {Element.MOVE_DESTINATION: "D" * 60_000}
    with target.unharmed(), target.associate() as association:
        check_failed(react(association, 15, command_set(values), data_for("move")))


def test_class_08_thousand_echoes_sent_at_once_are_answered_in_order(target: Target) -> None:
    with target.unharmed(), target.associate() as association:
        echoes = (request(Field.C_ECHO, VERIFICATION, number, data=False) for number in range(1, 1001))
        association.send(
            b"".join(part for echo in echoes for part in rawpdu.fragments(1, echo, command=True))
        )
        answered = [association.read_message().number(Element.MESSAGE_ID_RESPONDED_TO) for _ in range(1000)]
        assert answered == list(range(1, 1001))
        association.release()
