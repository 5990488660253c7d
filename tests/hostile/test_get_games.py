"""A C-GET client that plays games with its sub-operations. PS3.4 C.4.3."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.hostile.harness import PROPOSALS, Target, fresh_uids
from tests.support import rawpdu
from tests.support.datasets import Uids, synthetic
from tests.support.rawcommand import Element, Field, Message, cancel, command_set, request, response
from tests.support.rawdicom import (
    CT_IMAGE_STORAGE,
    EXPLICIT_LE,
    STUDY_ROOT_GET,
    VERIFICATION,
    Aborted,
    ConnectionEnded,
    RawAssociation,
    UnexpectedPdu,
)
from tests.support.rawelements import STUDY_INSTANCE_UID, identifier

RESPONSE_S = 2
CHANGES = {"timeouts": {"artim": "60 s", "idle": "60 s", "response": f"{RESPONSE_S} s"}}
INSTANCES = 5
GET, STORE = 17, 3  # context IDs of PROPOSALS
NO_DATA_SET = 0x0101


@pytest.fixture(scope="module")
def study(keeper: object) -> str:
    """A study of INSTANCES instances in the module's server."""
    base, series, instance = fresh_uids()
    target = keeper.target()  # type: ignore[attr-defined]
    for number in range(INSTANCES):
        uids = Uids("GAMES", base, series, f"{instance}.{number}")
        data = synthetic(CT_IMAGE_STORAGE, EXPLICIT_LE, uids, size=4096)
        assert target.send_data_set(data, uids.instance).status == 0
    return base


@contextmanager
def getting(target: Target, study: str) -> Iterator[tuple[RawAssociation, int, Message]]:
    """An association in the middle of a C-GET: it, the request's Message ID, and a C-STORE to be answered."""
    role = rawpdu.role_item(CT_IMAGE_STORAGE, False, True)
    with RawAssociation.to(target.port, PROPOSALS, calling="GETTER", user_items=role) as peer:
        number = peer.query(Field.C_GET, STUDY_ROOT_GET, identifier("STUDY", {STUDY_INSTANCE_UID: study}))
        yield peer, number, peer.read_message()


def final(peer: RawAssociation) -> Message:
    """The last response of the C-GET; what is still to be stored is taken."""
    while True:
        message = peer.read_message()
        if message.field == Field.C_STORE:
            peer.send_command(message.context_id, response(message, 0))
        elif message.status != 0xFF00:
            return message


def answer(to: Message, **changes: int) -> bytes:
    """A C-STORE response with other fields."""
    fields = {"field": 0x8001, "number": to.number(Element.MESSAGE_ID), **changes}
    return command_set(
        {
            Element.AFFECTED_SOP_CLASS_UID: CT_IMAGE_STORAGE,
            Element.COMMAND_FIELD: fields["field"],
            Element.MESSAGE_ID_RESPONDED_TO: fields["number"],
            Element.DATA_SET_TYPE: NO_DATA_SET,
            Element.STATUS: 0,
        }
    )


WRONG: dict[str, Callable[[RawAssociation, Message], None]] = {
    "another Message ID": lambda peer, one: peer.send_command(STORE, answer(one, number=777)),
    "the response of a C-FIND": lambda peer, one: peer.send_command(STORE, answer(one, field=0x8020)),
    "a context that was not accepted": lambda peer, one: peer.send_command(99, answer(one)),
    "a C-ECHO of its own": lambda peer, one: peer.send_command(
        1, request(Field.C_ECHO, VERIFICATION, 900, data=False)
    ),
    "a C-STORE of its own": lambda peer, one: peer.send_store(CT_IMAGE_STORAGE, "1.2.3", b"", STORE),
    "another association": lambda peer, one: peer.send(rawpdu.associate_rq([])),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_response_to_the_sub_operation_is_aborted(target: Target, study: str, name: str) -> None:
    with target.unharmed(), getting(target, study) as (peer, _, store):
        WRONG[name](peer, store)
        with pytest.raises(Aborted):
            final(peer)


def test_a_client_that_talks_but_never_answers_is_given_up_after_the_response_time(
    target: Target, study: str
) -> None:
    with target.unharmed(), getting(target, study) as (peer, _, _store):
        since = time.monotonic()
        peer.sock.settimeout(0.2)
        while time.monotonic() - since < 5 * RESPONSE_S:
            peer.send_command(GET, cancel(999))
            try:
                message = peer.read_message()
            except TimeoutError:
                continue
            if message.field == Field.C_GET | 0x8000 and message.status != 0xFF00:
                break
        assert message.status == 0xA702
        assert RESPONSE_S - 0.5 < time.monotonic() - since < 2 * RESPONSE_S


def test_a_cancel_in_the_middle_ends_it_and_the_association_goes_on(target: Target, study: str) -> None:
    with target.unharmed(), getting(target, study) as (peer, number, store):
        peer.send_command(GET, cancel(number))
        peer.send_command(store.context_id, response(store, 0))
        assert final(peer).status == 0xFE00
        assert peer.echo() == 0
        peer.release()


def test_a_release_in_the_middle_is_answered(target: Target, study: str) -> None:
    with target.unharmed(), getting(target, study) as (peer, _, _store):
        peer.send(rawpdu.release_rq())
        with pytest.raises((UnexpectedPdu, ConnectionEnded)) as caught:
            final(peer)
            peer.read_message()
        assert getattr(caught.value, "pdu_type", rawpdu.RELEASE_RP) == rawpdu.RELEASE_RP


def test_without_the_role_nothing_is_sent(target: Target, study: str) -> None:
    with target.unharmed(), RawAssociation.to(target.port, PROPOSALS) as peer:
        peer.query(Field.C_GET, STUDY_ROOT_GET, identifier("STUDY", {STUDY_INSTANCE_UID: study}))
        assert final(peer).status == 0xA702
        peer.release()
