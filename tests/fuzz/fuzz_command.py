"""Command Sets: fields or a PeerError; what was decoded is encoded again to the same fields; messages too.

python -m tests.fuzz command; see docs/fuzzing.md.
"""

from __future__ import annotations

from fastdicom.dimse import messages
from fastdicom.dimse.messages import (
    CCancelRequest,
    CFindRequest,
    CGetRequest,
    CMoveRequest,
    Counters,
    CStoreRequest,
    EchoRequest,
    Response,
)
from fastdicom.errors import PeerError
from fastdicom.kernels import command

CT = "1.2.840.10008.5.1.4.1.1.2"
LENGTH_MAX = 64 * 1024  # the assembler lets no more through


def one_input(data: bytes) -> None:
    data = data[:LENGTH_MAX]
    try:
        fields = command.decode(data)
    except PeerError as error:
        assert error.abort_reason
    else:
        again = command.decode(command.encode(sorted(fields.items())))
        assert again == fields
    try:
        message = messages.decode(data)
    except PeerError:
        return
    if not isinstance(message, messages.UnknownRequest | Response):
        assert type(messages.decode(messages.encode(message))) is type(message)


def seeds() -> list[bytes]:
    counters = Counters(1, 2, 3, 4)
    found: list[messages.Message] = [
        EchoRequest(1, "1.2.840.10008.1.1"),
        CStoreRequest(7, CT, "1.2.3.4", True, 0, "MOVER", 5),
        CFindRequest(2, "1.2.840.10008.5.1.4.1.2.2.1"),
        CMoveRequest(3, "1.2.840.10008.5.1.4.1.2.2.2", "DESTINATION"),
        CGetRequest(4, "1.2.840.10008.5.1.4.1.2.2.3"),
        CCancelRequest(2),
        Response(0x8001, 7, 0xB000, CT, "1.2.3.4", "a comment", (0x00100010, 0x00280010)),
        Response(0x8021, 3, 0xFF00, CT, counters=counters),
    ]
    return [messages.encode(message) for message in found]
