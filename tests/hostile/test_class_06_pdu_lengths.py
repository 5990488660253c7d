"""Length lies in PDUs (6): on a fresh connection, in an association, and PDUs that are no DICOM at all."""

from __future__ import annotations

import contextlib
import struct

import pytest

from tests.hostile.harness import END_SECONDS, Target, outcome_of
from tests.support import rawpdu
from tests.support.rawcommand import Field, request
from tests.support.rawdicom import (
    CT_IMAGE_STORAGE,
    EXPLICIT_LE,
    IMPLICIT_LE,
    VERIFICATION,
    ConnectionEnded,
    RawConnection,
)
from tests.support.rawpdu import Proposal

LENGTHS = [0, 1, 3, 67, 1 << 24, 1 << 31, 0xFFFFFFFF]
TYPES = [0, *range(1, 9), 0x80, 0xFF]
MEGABYTE = 1 << 20
FOREIGN = {
    "http": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "tls": bytes.fromhex("16030100c8010000c403036112") + bytes(190),
    "ssh": b"SSH-2.0-OpenSSH_9.2\r\n",
    "zeros": bytes(64),
    "ones": b"\xff" * 64,
}


def ends_at_once(connection: RawConnection) -> None:
    """An A-ABORT or a closed connection, and not only when we go away."""
    connection.read_to_end(END_SECONDS)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("pdu_type", TYPES)
def test_class_06_first_pdu_with_a_wrong_length(target: Target, pdu_type: int, length: int) -> None:
    if pdu_type == rawpdu.ASSOCIATE_RQ and 67 < length < 1 << 31:
        length = 1 << 21  # over the limit of 1 MB, where waiting for the rest would be wrong
    with target.unharmed(), RawConnection.open(target.port) as connection:
        with contextlib.suppress(ConnectionEnded):
            connection.send(struct.pack(">BxI", pdu_type, length), bytes(min(length, 128)))
        ends_at_once(connection)


@pytest.mark.parametrize("kind", FOREIGN)
def test_class_06_other_protocols_are_turned_away_at_once(target: Target, kind: str) -> None:
    with target.unharmed(), RawConnection.open(target.port) as connection:
        connection.send(FOREIGN[kind])
        ends_at_once(connection)


def test_class_06_endless_association_request_is_cut_off(target: Target) -> None:
    with target.unharmed(), RawConnection.open(target.port) as connection:
        with contextlib.suppress(ConnectionEnded):
            connection.send(struct.pack(">BxI", rawpdu.ASSOCIATE_RQ, 256 * MEGABYTE))
            for _ in range(256):
                connection.send(bytes(MEGABYTE))
        ends_at_once(connection)


@pytest.mark.parametrize("excess", [1, 1000, 1 << 30, "all"])
def test_class_06_p_data_longer_than_announced_is_aborted(target: Target, excess: int | str) -> None:
    with target.unharmed(), target.associate() as association:
        assert association.answer is not None
        announced = association.answer.max_pdu_length
        assert announced, "the node must announce a limit by default"
        length = 0xFFFFFFFF if isinstance(excess, str) else announced + excess
        with contextlib.suppress(ConnectionEnded):
            association.send(struct.pack(">BxIIBB", rawpdu.P_DATA, length, length - 4, 1, 1), bytes(64))
            association.send(bytes(min(length, 4 * MEGABYTE)))
        assert outcome_of(association).ended


def test_class_06_longest_announced_p_data_is_taken(target: Target) -> None:
    with target.unharmed(), target.associate() as association:
        assert association.answer is not None
        size = association.answer.max_pdu_length
        context = association.context_for(CT_IMAGE_STORAGE, EXPLICIT_LE)
        association.send_store(CT_IMAGE_STORAGE, "1.2.3", bytes(2 * size), context)
        assert outcome_of(association).refused  # zeros are no Data Set; what matters is the answer
        assert association.echo() == 0
        association.release()


def test_class_06_endless_command_set_is_aborted(target: Target) -> None:
    with target.unharmed(), target.associate() as association:
        piece = rawpdu.pdu(rawpdu.P_DATA, rawpdu.pdv(1, rawpdu.COMMAND_FRAGMENT, bytes(16000)))
        with contextlib.suppress(ConnectionEnded):
            for _ in range(4000):
                association.send(piece)
        assert outcome_of(association).ended


@pytest.mark.parametrize("control", [0, 1])
def test_class_06_empty_fragments_without_end_cost_nothing(target: Target, control: int) -> None:
    piece = rawpdu.pdu(rawpdu.P_DATA, rawpdu.pdv(3, control, b"")) * 100
    with target.unharmed(), target.associate() as association:
        if control == 0:
            store = request(Field.C_STORE, CT_IMAGE_STORAGE, 1, data=True, more={0x1000: "1.2.3"})
            association.send_command(3, store)
        with contextlib.suppress(ConnectionEnded):
            for _ in range(500):
                association.send(piece)
        association.close()


def test_class_06_many_pdvs_in_one_pdu(target: Target) -> None:
    echo = request(Field.C_ECHO, VERIFICATION, 1, data=False)
    body = b"".join(rawpdu.pdv(1, 1, echo[at : at + 1]) for at in range(len(echo) - 1))
    body += rawpdu.pdv(1, 3, echo[-1:])
    with target.unharmed(), target.associate() as association:
        association.send(rawpdu.pdu(rawpdu.P_DATA, body))
        assert outcome_of(association).status == 0
        association.release()


@pytest.mark.parametrize("maximum", [0, 1, 7, 128, 4096, 0xFFFFFFFF])
def test_class_06_odd_maximum_of_the_peer_is_kept_or_refused(target: Target, maximum: int) -> None:
    proposals = [Proposal(1, VERIFICATION, (IMPLICIT_LE,))]
    echo = request(Field.C_ECHO, VERIFICATION, 1, data=False)
    with target.unharmed(), RawConnection.open(target.port) as connection:
        connection.send(rawpdu.associate_rq(proposals, max_pdu_length=maximum))
        kind, _ = connection.read_pdu()
        if kind != rawpdu.ASSOCIATE_AC:
            return  # refusing a maximum that no PDV fits into is right too
        connection.send(*rawpdu.fragments(1, echo, command=True))
        with contextlib.suppress(ConnectionEnded):
            kind, body = connection.read_pdu()
            limit = maximum if maximum > rawpdu.PDV_HEADER_SIZE + 1 else 1 << 18
            assert kind == rawpdu.ABORT or len(body) <= limit
