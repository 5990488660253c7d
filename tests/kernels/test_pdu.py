"""kernels.pdu and kernels.pdata against ten lines of Python, the stream cut at every byte."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastdicom.errors import PeerError
from fastdicom.kernels import pdata
from fastdicom.kernels.pdu import PduReader


def pdu(pdu_type: int, body: bytes) -> bytes:
    return struct.pack(">BBI", pdu_type, 0, len(body)) + body


def pdv(context_id: int, control: int, data: bytes) -> bytes:
    return struct.pack(">IBB", len(data) + 2, context_id, control) + data


def feed(reader: PduReader, data: bytes) -> list[tuple[int, int, bytes]]:
    out = []
    while data:
        space = reader.space()
        count = min(len(space), len(data))
        space[:count] = data[:count]
        data = data[count:]
        out += [(a, b, bytes(c)) for a, b, c in reader.received(count)]
        while reader.more:
            out += [(a, b, bytes(c)) for a, b, c in reader.take()]
    return out


def joined(events: list[tuple[int, int, bytes]]) -> list[tuple[int, int, bytes]]:
    """Pieces of one fragment put together again: a piece that is not the last has control bit 1 clear."""
    out: list[tuple[int, int, bytes]] = []
    whole = True
    for context_id, control, data in events:
        if context_id and out and not whole and out[-1][0] == context_id and (out[-1][1] ^ control) in (0, 2):
            out[-1] = (context_id, control, out[-1][2] + data)
        else:
            out.append((context_id, control, data))
        whole = context_id == 0 or bool(control & 2)
    return out


STREAM = (
    pdu(1, b"r" * 80)
    + pdu(4, pdv(1, 3, b"command") + pdv(1, 2, b"data set"))
    + pdu(4, pdv(3, 3, b""))
    + pdu(5, bytes(4))
)
EVENTS = [(0, 1, b"r" * 80), (1, 3, b"command"), (1, 2, b"data set"), (3, 3, b""), (0, 5, bytes(4))]


@pytest.mark.parametrize("cut", range(len(STREAM) + 1))
def test_events_do_not_depend_on_where_the_stream_is_cut(cut: int) -> None:
    reader = PduReader(4096, 0, 1000)
    assert joined(feed(reader, STREAM[:cut]) + feed(reader, STREAM[cut:])) == EVENTS


def test_one_byte_at_a_time() -> None:
    reader = PduReader(4096, 0, 1000)
    assert joined([event for byte in STREAM for event in feed(reader, bytes([byte]))]) == EVENTS


@given(
    st.lists(
        st.tuples(st.integers(0, 127), st.integers(0, 3), st.binary(max_size=6000)), min_size=1, max_size=8
    ),
    st.integers(1, 5000),
)
def test_data_longer_than_the_buffer_passes_through(pdvs: list[tuple[int, int, bytes]], step: int) -> None:
    stream = b"".join(pdu(4, pdv(2 * number + 1, control, data)) for number, control, data in pdvs)
    reader = PduReader(4096, 0, 1000)
    events = [event for at in range(0, len(stream), step) for event in feed(reader, stream[at : at + step])]
    assert b"".join(data for _, _, data in events) == b"".join(data for _, _, data in pdvs)
    assert sum(control >> 1 for _, control, _ in events) == sum(control >> 1 for _, control, _ in pdvs)


@pytest.mark.parametrize(
    ("stream", "reason"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 1),
        (pdu(8, b"1234"), 1),
        (pdu(0, b"1234"), 1),
        (pdu(4, b""), 6),
        (pdu(4, b"12345"), 6),
        (pdu(4, struct.pack(">IBB", 1, 1, 0)), 6),
        (pdu(4, struct.pack(">IBB", 0, 1, 0)), 6),
        (pdu(4, struct.pack(">IBB", 3, 1, 0)), 6),
        (pdu(4, struct.pack(">IBB", 0xFFFFFFFF, 1, 0) + b"x"), 6),
        (pdu(4, pdv(2, 3, b"even context")), 6),
        (pdu(4, pdv(1, 3, b"1234") + b"x"), 6),
        (struct.pack(">BBI", 1, 0, 1001), 6),
        (struct.pack(">BBI", 1, 0, 0), 6),
        (struct.pack(">BBI", 5, 0, 0xFFFFFFFF), 6),
        (struct.pack(">BBI", 4, 0, 20001), 6),
    ],
)
def test_lies_are_refused_with_their_abort_reason(stream: bytes, reason: int) -> None:
    with pytest.raises(PeerError) as caught:
        feed(PduReader(4096, 20000, 1000), stream)
    assert caught.value.abort_reason == reason


def test_a_pdu_of_exactly_the_announced_maximum_is_taken() -> None:
    reader = PduReader(4096, 20000, 1000)
    events = feed(reader, pdu(4, pdv(1, 2, bytes(20000 - 6))))
    assert sum(len(data) for _, _, data in events) == 19994


def test_one_byte_fragments_are_named_in_bounded_portions() -> None:
    reader = PduReader(65536, 0, 1000)
    stream = pdu(4, pdv(1, 0, b"x") * 3000)
    space = reader.space()
    space[: len(stream)] = stream
    first = reader.received(len(stream))
    assert (len(first), reader.more) == (1024, True)
    assert len(first) + len(reader.take()) + len(reader.take()) == 3000
    assert not reader.more


def test_more_bytes_than_space_is_the_callers_mistake() -> None:
    reader = PduReader(4096, 0, 1000)
    with pytest.raises(ValueError):
        reader.received(4097)


@given(st.binary(max_size=300), st.one_of(st.none(), st.binary(max_size=300)), st.integers(7, 200))
def test_a_message_comes_back_out_of_its_pdus(command: bytes, dataset: bytes | None, length_max: int) -> None:
    framed = pdata.message(5, command, dataset, length_max)
    events = feed(PduReader(4096, length_max, 1000), framed)
    assert b"".join(data for _, control, data in events if control & 1) == command
    assert b"".join(data for _, control, data in events if not control & 1) == (dataset or b"")
    assert [control & 1 for _, control, _ in events if control & 2] == ([1] if dataset is None else [1, 0])


@given(st.integers(0, 5000), st.one_of(st.integers(7, 300), st.integers(1000, 2100)), st.booleans())
def test_a_body_comes_back_out_of_its_pdus(length: int, length_max: int, last: bool) -> None:
    run = bytes(at % 251 for at in range(length))
    command = pdata.message(3, b"command", None, length_max)
    pieces = pdata.body(3, command, memoryview(run), length_max, last)
    events = feed(PduReader(4096, length_max, 1000), b"".join(pieces))
    assert b"".join(data for _, control, data in events if control & 1) == b"command"
    events = [event for event in events if not event[1] & 1]
    assert b"".join(data for _, _, data in events) == run
    assert [control for _, control, _ in joined(events) if control & 2] == ([2] if last else [])


def test_a_buffer_that_was_used_before_holds_nothing_of_it() -> None:
    capacity = 256 * 1024
    first = PduReader(capacity, 0, 1 << 20)
    first.space()[:16] = b"\x04" + bytes(15)
    assert first.received(3) == []
    del first
    readers = [PduReader(capacity, 0, 1 << 20) for _ in range(20)]  # more than are kept
    for reader in readers:
        assert len(reader.space()) == capacity
        assert reader.take() == []
