"""Fragments to messages."""

from __future__ import annotations

import pytest

from fastdicom.dimse import messages
from fastdicom.dimse.assembler import Assembler, Begin, Data
from fastdicom.dimse.messages import CStoreRequest, EchoRequest
from fastdicom.errors import PeerError

ECHO = EchoRequest(7, "1.2.840.10008.1.1")
STORE = CStoreRequest(1, "1.2.3", "1.2.3.4")


@pytest.mark.parametrize("size", [1, 5, 64])
def test_a_command_set_in_fragments(size: int) -> None:
    assembler = Assembler()
    encoded = messages.encode(ECHO)
    pieces = [encoded[at : at + size] for at in range(0, len(encoded), size)]
    last = len(pieces) - 1
    steps = [assembler.feed(1, 3 if at == last else 1, piece) for at, piece in enumerate(pieces)]
    assert steps[:-1] == [None] * (len(pieces) - 1)
    assert steps[-1] == Begin(1, ECHO)
    assert assembler.idle


def test_a_data_set_is_handed_on_piece_by_piece() -> None:
    assembler = Assembler()
    assert assembler.feed(3, 3, messages.encode(STORE)) == Begin(3, STORE)
    assert not assembler.idle
    assert assembler.feed(3, 0, b"one") == Data(b"one", False)
    assert assembler.feed(3, 2, b"") == Data(b"", True)
    assert assembler.idle


def test_messages_follow_each_other() -> None:
    assembler = Assembler()
    for _ in range(3):
        assembler.feed(3, 3, messages.encode(STORE))
        assembler.feed(3, 2, b"data")
        assert assembler.feed(1, 3, messages.encode(ECHO)) == Begin(1, ECHO)


@pytest.mark.parametrize(
    "fragments",
    [
        [(1, 2, b"data without a command")],
        [(3, 3, messages.encode(STORE)), (3, 3, messages.encode(ECHO))],
        [(3, 3, messages.encode(STORE)), (5, 2, b"another context")],
        [(3, 1, messages.encode(STORE)[:20]), (5, 3, messages.encode(STORE)[20:])],
        [(3, 1, b"x" * 40000), (3, 1, b"x" * 40000)],
        [(3, 3, b"x" * 70000)],
        [(3, 3, b"")],
    ],
)
def test_fragments_that_make_no_message(fragments: list[tuple[int, int, bytes]]) -> None:
    assembler = Assembler()
    with pytest.raises(PeerError):
        for fragment in fragments:
            assembler.feed(*fragment)
