"""DIMSE messages to Command Sets and back."""

from __future__ import annotations

import pytest

from fastdicom.dimse import messages
from fastdicom.dimse.messages import (
    CCancelRequest,
    CFindRequest,
    CGetRequest,
    CMoveRequest,
    Counters,
    CStoreRequest,
    EchoRequest,
    Message,
    Response,
)
from fastdicom.errors import PeerError
from fastdicom.kernels import command

MESSAGES: list[Message] = [
    EchoRequest(7, "1.2.840.10008.1.1"),
    CStoreRequest(1, "1.2.3", "1.2.3.4", originator_ae_title="MOVER", originator_message_id=9),
    CFindRequest(65535, "1.2.840.10008.5.1.4.1.2.2.1"),
    CMoveRequest(2, "1.2.840.10008.5.1.4.1.2.2.2", "PACS"),
    CGetRequest(3, "1.2.840.10008.5.1.4.1.2.2.3"),
    CCancelRequest(3),
    Response(messages.C_STORE_RSP, 1, 0xA900, "1.2.3", "1.2.3.4", "no", (0x00080018,)),
    Response(messages.C_MOVE_RSP, 2, 0xFF00, "1.2", counters=Counters(3, 2, 1, 0)),
    Response(messages.C_FIND_RSP, 2, 0xFF00, "1.2", has_dataset=True),
]


@pytest.mark.parametrize("message", MESSAGES)
def test_every_message_comes_back(message: Message) -> None:
    assert messages.decode(messages.encode(message)) == message


def test_remaining_is_left_out_of_a_final_response() -> None:
    final = Response(messages.C_MOVE_RSP, 2, 0xB000, "1.2", counters=Counters(0, 2, 1, 0))
    fields = command.decode(messages.encode(final))
    assert 0x1020 not in fields and fields[0x1021] == 2 and fields[0x1022] == 1


def test_counters_stay_within_their_16_bits() -> None:
    many = Response(messages.C_MOVE_RSP, 2, 0xFF00, "1.2", counters=Counters(70000, 80000, 0, 0))
    fields = command.decode(messages.encode(many))
    assert fields[0x1020] == fields[0x1021] == 0xFFFF


def test_a_comment_is_cut_at_64_characters() -> None:
    fields = command.decode(messages.encode(Response(0x8001, 1, 0xC000, comment="x" * 100)))
    assert fields[0x0902] == "x" * 64


def test_a_comment_has_nothing_that_an_lo_may_not_have() -> None:
    quoted = "UID 1.2\\3 of\tN\u00e4me\x1b[2J\r\nforged\x00 \u8a9e"
    comment = command.decode(messages.encode(Response(0x8001, 1, 0xC000, comment=quoted)))[0x0902]
    assert comment == "UID 1.2/3 of?N?me?[2J??forged? ?"


def test_a_comment_of_a_peer_is_one_printable_line() -> None:
    told = command.encode(
        [(0x0100, 0x8001), (0x0120, 1), (0x0900, 0xA700), (0x0902, "no\r\nroom\x1b[2J" + "x" * 999)]
    )
    response = messages.decode(told)
    assert isinstance(response, Response)
    assert response.comment.startswith("no??room?[2Jx") and len(response.comment) == 256


@pytest.mark.parametrize("missing", [0x0002, 0x0100, 0x0110, 0x0800, 0x1000])
def test_a_mandatory_field_that_is_missing_is_the_peers_fault(missing: int) -> None:
    fields = [
        (0x0002, "1.2.3"),
        (0x0100, messages.C_STORE_RQ),
        (0x0110, 1),
        (0x0800, 1),
        (0x1000, "1.2.3.4"),
    ]
    with pytest.raises(PeerError, match=f"0000,{missing:04X}"):
        messages.decode(command.encode([field for field in fields if field[0] != missing]))


def test_an_unknown_request_is_understood_as_one() -> None:
    n_action = command.encode([(0x0003, "1.2"), (0x0100, 0x0130), (0x0110, 4), (0x0800, 0x0101)])
    assert messages.decode(n_action) == messages.UnknownRequest(4, 0x0130, "1.2", "", False)
