"""A byte stream of PDUs: the same spans however TCP cut it, or a PeerError at the same place.

python -m tests.fuzz pdu; see docs/fuzzing.md.
"""

from __future__ import annotations

import random
import zlib

from fastdicom.errors import PeerError
from fastdicom.kernels.pdu import PduReader
from tests.support import rawpdu

CAPACITY = 4096  # the smallest that there is
PDATA_LENGTH_MAX = 300
ASSOCIATION_LENGTH_MAX = 400
Spans = list[tuple[int, int, bytes]]


def read(data: bytes, steps: random.Random | None) -> tuple[Spans, str]:
    """(spans, error or "") of the stream, received as fast as there is room or in small pieces."""
    reader = PduReader(CAPACITY, PDATA_LENGTH_MAX, ASSOCIATION_LENGTH_MAX)
    spans: Spans = []
    try:
        while data:
            space = reader.space()
            count = min(len(space), len(data), steps.randrange(1, 300) if steps else len(data))
            space[:count] = data[:count]
            data = data[count:]
            take(reader.received(count), spans)
            while reader.more:
                take(reader.take(), spans)
    except PeerError as error:
        return spans, f"{error.abort_reason}: {error}"
    assert 0 < len(reader.space()) <= CAPACITY  # there is always room for more
    return spans, ""


def take(found: list[tuple[int, int, memoryview | bytes]], spans: Spans) -> None:
    """Copy spans; pieces of one PDV become one."""
    for context_id, control, piece in found:
        last = spans[-1] if spans else (0, 0, b"")
        if context_id and last[0] == context_id and not last[1] & 2 and last[1] & 1 == control & 1:
            spans[-1] = (context_id, control, last[2] + bytes(piece))
        else:
            spans.append((context_id, control, bytes(piece)))


def one_input(data: bytes) -> None:
    """Whole and in pieces: the same spans when all is well, else the same error."""
    whole, error = read(data, None)
    pieces, same = read(data, random.Random(zlib.crc32(data)))
    assert error == same
    if not error:
        assert whole == pieces
    assert sum(len(span[2]) for span in whole) <= len(data)


def seeds() -> list[bytes]:
    """Whole conversations of an association, with PDVs of all kinds and sizes."""
    proposal = rawpdu.Proposal(1, "1.2.840.10008.1.1", ("1.2.840.10008.1.2",))
    command = rawpdu.pdu(rawpdu.P_DATA, rawpdu.pdv(1, 3, bytes(60)))
    two = rawpdu.pdu(rawpdu.P_DATA, rawpdu.pdv(1, 0, bytes(100)) + rawpdu.pdv(1, 2, b"ab"))
    empty = rawpdu.pdu(rawpdu.P_DATA, rawpdu.pdv(3, 0, b"") + rawpdu.pdv(3, 2, b""))
    many = rawpdu.pdu(rawpdu.P_DATA, b"".join(rawpdu.pdv(5, 0, bytes([n])) for n in range(40)))
    head = rawpdu.associate_rq([proposal])
    return [
        head + (command + two * 3) * 5 + rawpdu.release_rq(),
        command + two + empty + command,
        many * 8,
        rawpdu.release_rp() + rawpdu.abort(2, 6) + rawpdu.associate_rj(1, 1, 1),
        rawpdu.pdu(rawpdu.P_DATA, rawpdu.pdv(1, 2, bytes(294))),
    ]
