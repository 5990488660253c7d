"""A whole association: bytes into a node without sockets, whose every answer has to be whole PDUs.

The real connection, upper layer, assembler and services (tests/support/memory_node.py). A finding is what
the node would log as its own fault, a file left open, an answer that is no sequence of PDUs, or a hang.

python -m tests.fuzz association; see docs/fuzzing.md.
"""

from __future__ import annotations

import zlib
from functools import cache

from fastdicom.dataset.recoded import element
from fastdicom.dimse import messages
from fastdicom.dimse.messages import (
    CCancelRequest,
    CFindRequest,
    CGetRequest,
    CMoveRequest,
    CStoreRequest,
    EchoRequest,
    Response,
)
from tests.fuzz.fuzz_query import index
from tests.support import rawpdu
from tests.support.memory_node import MemoryNode, replies
from tests.support.rawpdu import Proposal

VERIFICATION, CT = "1.2.840.10008.1.1", "1.2.840.10008.5.1.4.1.1.2"
FIND, MOVE, GET = (f"1.2.840.10008.5.1.4.1.2.2.{n}" for n in (1, 2, 3))
IMPLICIT, EXPLICIT, DEFLATED, BIG = (
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2.1.99",
    "1.2.840.10008.1.2.2",
)
PARAMETERS_SIZE = 2
FRAMED = 0x80  # in the first byte: the rest are chunks that we put into PDUs
CHUNK_HEAD = 4  # kind, context ID, length
RAW, COMMAND, COMMAND_PART, DATASET, DATASET_PART = range(5)
STEPS = (1, 7, 100, 4096)


@cache
def node() -> MemoryNode:
    """Its index has six instances, whose files are of the size that their rows say."""
    file = bytes(128) + b"DICM" + bytes(168) + element(0x00080018, "UI", b"1.2.3\0")
    return MemoryNode(index(), file + bytes(1000 - len(file)))


def one_input(data: bytes) -> None:
    """The first bytes choose how the peer ends, the steps that its bytes come in, and the framing."""
    if len(data) < PARAMETERS_SIZE:
        return
    choice, step = data[0], STEPS[data[1] % len(STEPS)]
    stream = framed(data[PARAMETERS_SIZE:]) if choice & FRAMED else data[PARAMETERS_SIZE:]
    answered = list(replies(node().serve(stream, step, bool(choice & 1), patient=not choice & 2)))
    assert all(1 < kind <= 7 for kind, _ in answered)


def framed(data: bytes) -> bytes:
    """Chunks (kind, context ID, length, payload) as PDUs whose lengths are right, behind a request."""
    out = bytearray(request())
    while len(data) >= CHUNK_HEAD:
        kind, context_id, length = data[0] % 5, data[1], int.from_bytes(data[2:4], "big")
        payload, data = data[CHUNK_HEAD : CHUNK_HEAD + length], data[CHUNK_HEAD + length :]
        if kind == RAW:
            out += payload
        else:
            control = {COMMAND: 3, COMMAND_PART: 1, DATASET: 2, DATASET_PART: 0}[kind]
            out += rawpdu.pdu(rawpdu.P_DATA, rawpdu.pdv(context_id, control, payload))
    return bytes(out)


def request() -> bytes:
    """An A-ASSOCIATE-RQ for everything that the node does, as SCP of Storage too (C-GET)."""
    proposals = [
        Proposal(1, VERIFICATION, (IMPLICIT,)),
        Proposal(3, CT, (EXPLICIT,)),
        Proposal(5, CT, (DEFLATED,)),
        Proposal(7, CT, (BIG, IMPLICIT)),
        Proposal(9, FIND, (EXPLICIT,)),
        Proposal(11, MOVE, (IMPLICIT,)),
        Proposal(13, GET, (EXPLICIT,)),
        Proposal(15, "1.2.3.4.5", (IMPLICIT,)),
    ]
    return rawpdu.associate_rq(proposals, user_items=rawpdu.role_item(CT, True, True))


def chunk(kind: int, context_id: int, payload: bytes) -> bytes:
    return bytes([kind, context_id]) + len(payload).to_bytes(2, "big") + payload


def message(context_id: int, command: messages.Message, *pieces: bytes) -> bytes:
    """A message in chunks; its Data Set in as many fragments as there are pieces."""
    found = chunk(COMMAND, context_id, messages.encode(command))
    for number, piece in enumerate(pieces):
        found += chunk(DATASET if number == len(pieces) - 1 else DATASET_PART, context_id, piece)
    return found


def instance(uid: bytes) -> bytes:
    return (
        element(0x00080016, "UI", CT.encode() + b"\0")
        + element(0x00080018, "UI", uid)
        + element(0x0020000D, "UI", b"1.2.3.4\0")
        + element(0x0020000E, "UI", b"1.2.3.5\0")
        + element(0x7FE00010, "OW", bytes(64))
    )


def conversations() -> list[bytes]:
    """One of each service, in chunks."""
    whole = instance(b"1.2.3.6\0")
    deflater = zlib.compressobj(wbits=-15)
    asked = element(0x00080052, "CS", b"STUDY ") + element(0x00100010, "PN", b"*")
    asked += element(0x0020000D, "UI", b"")
    implicit = b"\x08\x00\x52\x00\x06\0\0\0STUDY \x20\0\x0d\0\x04\0\0\x003.1\0"
    response = Response(messages.C_STORE_RSP, 1, 0, CT, "1.0")
    release = chunk(RAW, 0, rawpdu.release_rq())
    got = element(0x00080052, "CS", b"STUDY ") + element(0x0020000D, "UI", b"3.1\0")
    return [
        message(1, EchoRequest(1, VERIFICATION)) * 2 + release,
        message(3, CStoreRequest(2, CT, "1.2.3.6"), whole[:20], whole[20:]) * 2 + release,
        message(5, CStoreRequest(3, CT, "1.2.3.6"), deflater.compress(whole) + deflater.flush()),
        message(7, CStoreRequest(4, CT, "1.2"), whole),
        message(9, CFindRequest(5, FIND), asked) + message(9, CCancelRequest(5)) + release,
        message(11, CMoveRequest(6, MOVE, "SINK"), implicit)
        + message(11, CMoveRequest(7, MOVE, "X"), implicit),
        message(13, CGetRequest(8, GET), got)
        + message(3, response)
        + message(3, response._replace(responded_to=2)),
        message(13, CGetRequest(8, GET), got)
        + message(3, response)
        + message(13, CCancelRequest(8))
        + release,
        chunk(COMMAND_PART, 1, messages.encode(EchoRequest(1, VERIFICATION))[:30])
        + chunk(RAW, 0, rawpdu.abort()),
    ]


def seeds() -> list[bytes]:
    """Each conversation in chunks and as the bytes that they are, ended by a close and by silence."""
    found = []
    for number, chunks in enumerate(conversations()):
        found.append(bytes([FRAMED | number & 1, 3]) + chunks)
        found.append(bytes([number & 1, 2]) + framed(chunks))
    return found
