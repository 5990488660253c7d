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
        before = pdata.message(context_id, b"", None, length_max)
        pieces = pdata.body(context_id, before, memoryview(dataset), length_max, bool(choice & 2))
    except ValueError:
        return
    assert all(len(body) <= length_max for body in pdu_bodies(stream))
    if context_id & 1 and length_max > 6:
        check_message(received(stream), context_id, command, dataset if choice & 1 else None)
    assert all(len(body) <= length_max for body in pdu_bodies(b"".join(pieces)))
    check_body(b"".join(pieces), context_id, dataset, bool(choice & 2))


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


def check_body(stream: bytes, context_id: int, dataset: bytes, last: bool) -> None:
    """One PDV a PDU, the command whole in the first, the Data Set in the others."""
    bodies = pdu_bodies(stream)
    assert [body[4:6] for body in bodies[:1]] == [bytes((context_id, 3))]
    controls = [struct.unpack_from(">IBB", body) for body in bodies[1:]]
    assert b"".join(body[6:] for body in bodies[1:]) == dataset
    assert all(length == len(body) - 4 for (length, _, _), body in zip(controls, bodies[1:], strict=True))
    assert [control for _, _, control in controls] == [0] * (len(controls) - 1) + [2 if last else 0]


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
