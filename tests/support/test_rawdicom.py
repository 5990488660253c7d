"""The test instrument itself: raw requestor against raw acceptor, in one process."""

from __future__ import annotations

import pytest

from tests.support import rawpdu
from tests.support.rawcommand import Element, command_set, parse_command
from tests.support.rawdicom import (
    CT_IMAGE_STORAGE,
    EXPLICIT_LE,
    IMPLICIT_LE,
    VERIFICATION,
    Aborted,
    ConnectionEnded,
    RawAssociation,
    RawConnection,
    Rejected,
    seconds_to_echo,
)
from tests.support.rawelements import identifier, instance, nested
from tests.support.rawpdu import Proposal
from tests.support.rawserver import RawServer, ServerConnection, Sink, closed_port, only_syntaxes


def test_sink_keeps_a_stored_data_set_byte_for_byte() -> None:
    sink, data = Sink(), instance(("1.2", "1.3", "1.4"), CT_IMAGE_STORAGE, [bytes(100_000)])
    proposals = [Proposal(1, CT_IMAGE_STORAGE, (EXPLICIT_LE,))]
    with RawServer(sink.serve) as server, RawAssociation.to(server.port, proposals) as association:
        assert association.store(CT_IMAGE_STORAGE, "1.4", data).status == 0
        association.release()
    assert [(one.transfer_syntax, one.data) for one in sink.received] == [(EXPLICIT_LE, data)]


def test_contexts_are_accepted_one_by_one() -> None:
    sink = Sink(choose=only_syntaxes(IMPLICIT_LE))
    proposals = [Proposal(1, CT_IMAGE_STORAGE, (EXPLICIT_LE,)), Proposal(3, VERIFICATION, (IMPLICIT_LE,))]
    with RawServer(sink.serve) as server, RawAssociation.to(server.port, proposals) as association:
        assert association.accepted == {3: IMPLICIT_LE}
        assert association.echo() == 0
        with pytest.raises(LookupError):
            association.context_for(CT_IMAGE_STORAGE)


def test_reject_abort_and_close_are_told_apart() -> None:
    def reject(connection: ServerConnection) -> None:
        connection.read_request()
        connection.send(rawpdu.associate_rj(2, 3, 2))

    def abort(connection: ServerConnection) -> None:
        connection.read_request()
        connection.send(rawpdu.abort(2, 6))

    with RawServer(reject) as server, pytest.raises(Rejected) as rejected:
        RawAssociation.to(server.port)
    assert rejected.value.verdict == (2, 3, 2)
    with RawServer(abort) as server, pytest.raises(Aborted, match="reason 6"):
        RawAssociation.to(server.port)
    with RawServer(lambda connection: None) as server, pytest.raises(ConnectionEnded):
        RawAssociation.to(server.port)
    with pytest.raises(ConnectionRefusedError):
        RawAssociation.to(closed_port())


def test_reading_to_the_end_reports_what_came_and_a_peer_that_stays() -> None:
    def two_pdus(connection: ServerConnection) -> None:
        connection.send(rawpdu.release_rp(), rawpdu.abort())

    def silent(connection: ServerConnection) -> None:
        connection.read_pdu()

    with RawServer(two_pdus) as server, RawConnection.open(server.port) as connection:
        assert connection.read_to_end(5) == [rawpdu.RELEASE_RP, rawpdu.ABORT]
    with (
        RawServer(silent) as server,
        RawConnection.open(server.port) as connection,
        pytest.raises(TimeoutError),
    ):
        connection.read_to_end(0.1)


def test_echo_is_timed() -> None:
    with RawServer(Sink().serve) as server:
        assert 0 < seconds_to_echo(server.port) < 5


def test_fragments_respect_the_maximum_length_and_end_once() -> None:
    pdus = list(rawpdu.fragments(5, bytes(range(256)) * 10, command=False, pdu_max=1000))
    controls = [control for one in pdus for _, control, _ in rawpdu.pdvs_of(one[6:])]
    assert max(len(one) - rawpdu.HEADER_SIZE for one in pdus) == 1000
    assert controls == [0, 0, rawpdu.LAST_FRAGMENT]
    assert b"".join(part for one in pdus for _, _, part in rawpdu.pdvs_of(one[6:])) == bytes(range(256)) * 10


def test_command_set_round_trip_with_padding() -> None:
    raw = command_set({Element.STATUS: 0xA700, Element.AFFECTED_SOP_INSTANCE_UID: "1.2.3"})
    values = parse_command(raw)
    assert values[Element.AFFECTED_SOP_INSTANCE_UID] == b"1.2.3\0"
    assert values[Element.STATUS] == b"\x00\xa7"
    assert int.from_bytes(values[Element.GROUP_LENGTH], "little") == len(raw) - 12


@pytest.mark.parametrize("vrs", [True, False])
@pytest.mark.parametrize("defined", [True, False])
def test_nested_sequences_are_as_deep_as_asked(vrs: bool, defined: bool) -> None:
    from io import BytesIO

    from pydicom.filereader import read_dataset

    raw = identifier("STUDY") if not vrs else b""
    parsed = read_dataset(BytesIO(raw + nested(20, defined=defined, vrs=vrs)), not vrs, True)
    depth = 0
    while sequence := parsed.get("RequestAttributesSequence"):
        parsed, depth = sequence[0], depth + 1
    assert depth == 20
