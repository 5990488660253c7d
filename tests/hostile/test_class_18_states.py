"""State confusion (18): PDUs that do not belong where they come, PS3.8 Table 9-10 from outside."""

from __future__ import annotations

import contextlib

import pytest

from tests.hostile.harness import Target, fresh_uids, outcome_of
from tests.support import rawpdu
from tests.support.rawcommand import Element, Field, request
from tests.support.rawdicom import (
    CT_IMAGE_STORAGE,
    EXPLICIT_LE,
    IMPLICIT_LE,
    STUDY_ROOT_FIND,
    VERIFICATION,
    Aborted,
    ConnectionEnded,
    RawConnection,
)
from tests.support.rawelements import instance
from tests.support.rawpdu import Proposal

PROPOSAL = [Proposal(1, VERIFICATION, (IMPLICIT_LE,))]
REQUEST = rawpdu.associate_rq(PROPOSAL)
ECHO = b"".join(rawpdu.fragments(1, request(Field.C_ECHO, VERIFICATION, 1, data=False), command=True))
ACCEPT = rawpdu.associate_ac(rawpdu.parse_associate(REQUEST[6:]), [rawpdu.Verdict(1, 0, IMPLICIT_LE)])
UNEXPECTED = {
    "second_request": REQUEST,
    "accept": ACCEPT,
    "reject": rawpdu.associate_rj(1, 1, 1),
    "release_response": rawpdu.release_rp(),
    "unknown": rawpdu.pdu(0x42, bytes(10)),
}
UNEXPECTED_PDU, UNRECOGNIZED_PDU = 2, 1


@pytest.mark.parametrize("kind", UNEXPECTED)
def test_class_18_unexpected_pdu_in_an_association_is_aborted(target: Target, kind: str) -> None:
    with target.unharmed(), target.associate() as association:
        association.send(UNEXPECTED[kind])
        with pytest.raises(Aborted) as abort:
            association.read_message()
        wanted = UNRECOGNIZED_PDU if kind == "unknown" else UNEXPECTED_PDU
        assert (abort.value.source, abort.value.reason) == (2, wanted)


FIRST = {name: pdu for name, pdu in UNEXPECTED.items() if name != "second_request"} | {
    "p_data": ECHO,
    "release_request": rawpdu.release_rq(),
}


@pytest.mark.parametrize("kind", FIRST)
def test_class_18_anything_but_a_request_first_is_aborted(target: Target, kind: str) -> None:
    with target.unharmed(), RawConnection.open(target.port) as connection:
        connection.send(FIRST[kind])
        assert connection.read_to_end(5) in ([rawpdu.ABORT], [])


def test_class_18_abort_first_just_ends(target: Target) -> None:
    with target.unharmed(), RawConnection.open(target.port) as connection:
        connection.send(rawpdu.abort())
        assert connection.read_to_end(5) == []


@pytest.mark.parametrize("after", ["p_data", "second_release", "second_request", "store"])
def test_class_18_nothing_is_served_after_release(target: Target, after: str) -> None:
    uids = fresh_uids()
    with target.unharmed():
        with target.associate() as association:
            association.send(rawpdu.release_rq())
            with contextlib.suppress(ConnectionEnded):
                if after == "store":
                    context = association.context_for(CT_IMAGE_STORAGE, EXPLICIT_LE)
                    data = instance(uids, CT_IMAGE_STORAGE)
                    association.send_store(CT_IMAGE_STORAGE, uids[2], data, context)
                else:
                    later = {"p_data": ECHO, "second_release": rawpdu.release_rq(), "second_request": REQUEST}
                    association.send(later[after])
            types = association.read_to_end(10)
        assert types[:1] in ([rawpdu.RELEASE_RP], [])
        assert rawpdu.P_DATA not in types and rawpdu.ASSOCIATE_AC not in types
        assert target.studies_found(uids[0]) == 0


def test_class_18_request_echo_and_release_in_one_segment_are_served_in_order(target: Target) -> None:
    with target.unharmed(), RawConnection.open(target.port) as connection:
        connection.send(rawpdu.associate_rq(PROPOSAL) + ECHO + rawpdu.release_rq())
        types = connection.read_to_end(10)
        assert types in (
            [rawpdu.ASSOCIATE_AC, rawpdu.P_DATA, rawpdu.RELEASE_RP],
            [rawpdu.ABORT],  # P-DATA before the accept is out of turn; to say so is right as well
            [rawpdu.ASSOCIATE_AC, rawpdu.ABORT],
        )


def _store_command(uid: str) -> bytes:
    more = {int(Element.AFFECTED_SOP_INSTANCE_UID): uid}
    return request(Field.C_STORE, CT_IMAGE_STORAGE, 1, data=True, more=dict(more))


def fragment(context: int, control: int, data: bytes) -> bytes:
    """A P-DATA-TF PDU with one PDV."""
    return rawpdu.pdu(rawpdu.P_DATA, rawpdu.pdv(context, control, data))


DATA, COMMAND, DATA_END, COMMAND_END = 0, 1, 2, 3
CONFUSIONS = {
    "data_before_command": [fragment(3, DATA, bytes(100))],
    "data_end_before_command": [fragment(3, DATA_END, bytes(100))],
    "command_inside_data": [
        fragment(3, COMMAND_END, _store_command("1.2")),
        fragment(3, DATA, bytes(100)),
        fragment(3, COMMAND_END, _store_command("1.3")),
    ],
    "other_context_inside_data": [
        fragment(3, COMMAND_END, _store_command("1.2")),
        fragment(3, DATA, bytes(100)),
        fragment(5, DATA_END, bytes(100)),
    ],
    "data_inside_command": [
        fragment(3, COMMAND, _store_command("1.2")[:20]),
        fragment(3, DATA, bytes(100)),
    ],
    "context_never_proposed": [fragment(201, COMMAND_END, _store_command("1.2"))],
    "context_0": [fragment(0, COMMAND_END, _store_command("1.2"))],
    "even_context": [fragment(4, COMMAND_END, _store_command("1.2"))],
    "reserved_control_bits": [fragment(1, 0xFF, ECHO[12:]), fragment(1, 0xF0, b"")],
    "empty_command": [fragment(1, COMMAND_END, b"")],
}


@pytest.mark.parametrize("kind", CONFUSIONS)
def test_class_18_confused_fragments_are_aborted(target: Target, kind: str) -> None:
    with target.unharmed(), target.associate() as association:
        with contextlib.suppress(ConnectionEnded):
            association.send(*CONFUSIONS[kind])
        outcome = outcome_of(association)
        assert outcome.ended or kind == "reserved_control_bits", outcome


def test_class_18_pdu_without_pdv_is_harmless(target: Target) -> None:
    with target.unharmed(), target.associate() as association:
        with contextlib.suppress(ConnectionEnded):
            association.send(rawpdu.pdu(rawpdu.P_DATA, b""))
            association.send(ECHO)
        outcome = outcome_of(association)
        assert outcome.ended or outcome.status == 0


def test_class_18_context_that_was_refused_is_not_served(target: Target) -> None:
    unknown = "1.2.3.4.5.6.7"
    with target.unharmed(), RawConnection.open(target.port) as connection:
        proposals = [*PROPOSAL, Proposal(3, STUDY_ROOT_FIND, (unknown,))]
        connection.send(rawpdu.associate_rq(proposals))
        assert connection.read_pdu()[0] == rawpdu.ASSOCIATE_AC
        find = request(Field.C_FIND, STUDY_ROOT_FIND, 1, data=True)
        connection.send(fragment(3, COMMAND_END, find))
        assert rawpdu.P_DATA not in connection.read_to_end(5)
