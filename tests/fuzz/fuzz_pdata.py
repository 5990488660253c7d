"""Outgoing PDUs: what the peer's reader makes of them is what went in, whatever length it announced.

python -m tests.fuzz pdata; see docs/fuzzing.md.
"""

from __future__ import annotations

import struct

from fastdicom.kernels import pdata
from fastdicom.kernels.pdu import PduReader
from tests.fuzz.fuzz_pdu import Spans, take

PARAMETERS = struct.Struct("<BIHB")

CAPACITY = 1 << 16


def received(stream: bytes) -> Spans:
    """The stream as a peer that takes PDUs of any length sees it."""
    reader = PduReader(CAPACITY, 0, 1 << 20)
    spans: Spans = []
    while stream:
        space = reader.space()
        count = min(len(space), len(stream))
        space[:count] = stream[:count]
        stream = stream[count:]
        take(reader.received(count), spans)
        while reader.more:
            take(reader.take(), spans)
    assert len(reader.space()) == CAPACITY  # nothing is left over
    return spans


def one_input(data: bytes) -> None:
    """The first bytes are context, announced length, where the Data Set begins, and whether there is one."""
    if len(data) < PARAMETERS.size:
        return
    context_id, length_max, cut, choice = PARAMETERS.unpack_from(data)
    body = data[PARAMETERS.size :]
    command, dataset = body[: cut % (len(body) + 1)], body[cut % (len(body) + 1) :]
    try:
        stream = pdata.message(context_id, command, dataset if choice & 1 else None, length_max)
        heads = pdata.fragment_heads(context_id, len(dataset), length_max, bool(choice & 2))
    except ValueError:
        return
    assert all(len(body) <= length_max for body in pdu_bodies(stream))
    if context_id & 1 and length_max > 6:
        check_message(received(stream), context_id, command, dataset if choice & 1 else None)
    check_heads(heads, context_id, len(dataset), length_max, bool(choice & 2))


def pdu_bodies(stream: bytes) -> list[bytes]:
    found = []
    while stream:
        (length,) = struct.unpack_from(">I", stream, 2)
        found.append(stream[6 : 6 + length])
        stream = stream[6 + length :]
    return found


def check_message(spans: Spans, context_id: int, command: bytes, dataset: bytes | None) -> None:
    expected = [(context_id, 3, command)] + ([] if dataset is None else [(context_id, 2, dataset)])
    assert spans == expected


def check_heads(heads: bytes, context_id: int, length: int, length_max: int, last: bool) -> None:
    sizes = []
    for at in range(0, len(heads), 12):
        kind, reserved, pdu_length, pdv_length, context, control = struct.unpack_from(">BBIIBB", heads, at)
        final = at + 12 == len(heads)
        assert (kind, reserved, context, control) == (4, 0, context_id, 2 if last and final else 0)
        assert pdv_length == pdu_length - 4 and pdu_length <= length_max
        sizes.append(pdv_length - 2)
    assert sum(sizes) == length and len(heads) % 12 == 0


def seeds() -> list[bytes]:
    return [
        PARAMETERS.pack(context, length_max, cut, choice) + bytes(range(256)) * 2
        for context, length_max, cut, choice in (
            (1, 16384, 100, 1),
            (3, 128, 60, 3),
            (255, 7, 20, 0),
            (5, 8, 512, 2),
            (1, 0xFFFFFFFF, 0, 3),
            (1, 6, 50, 1),
        )
    ]
