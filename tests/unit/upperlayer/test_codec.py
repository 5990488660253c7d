"""Association PDUs: what we encode we decode, pynetdicom reads it, and no lie gets past."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pynetdicom import pdu as theirs

from fastdicom.errors import PeerError
from fastdicom.upperlayer import codec
from fastdicom.upperlayer.pdus import (
    Abort,
    AssociationAccept,
    AssociationReject,
    AssociationRequest,
    ContextResult,
    ExtendedNegotiation,
    Pdu,
    PresentationContext,
    ReleaseRequest,
    ReleaseResponse,
    RoleSelection,
    UserIdentity,
    UserInformation,
)

USER = UserInformation(
    max_length=16384,
    implementation_class_uid="1.2.3",
    implementation_version_name="TEST_1",
    asynchronous_operations=(5, 1),
    roles=(RoleSelection("1.2.840.10008.5.1.4.1.1.2", False, True),),
    extended=(ExtendedNegotiation("1.2.840.10008.5.1.4.1.2.2.1", b"\x01\x00\x01"),),
    user_identity=UserIdentity(2, True, b"user", b"secret"),
)
REQUEST = AssociationRequest(
    "CALLED",
    "CALLING",
    (
        PresentationContext(1, "1.2.840.10008.1.1", ("1.2.840.10008.1.2",)),
        PresentationContext(3, "1.2.840.10008.5.1.4.1.1.2", ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2")),
    ),
    USER,
)
ACCEPT = AssociationAccept(
    "CALLED",
    "CALLING",
    (ContextResult(1, 0, "1.2.840.10008.1.2"), ContextResult(3, 4, "")),
    UserInformation(max_length=0, implementation_class_uid="1.2.3", user_identity_response=b""),
)
PDUS: list[Pdu] = [
    REQUEST,
    ACCEPT,
    AssociationReject(1, 2, 2),
    ReleaseRequest(),
    ReleaseResponse(),
    Abort(2, 6),
]


@pytest.mark.parametrize("pdu", PDUS)
def test_every_pdu_comes_back(pdu: Pdu) -> None:
    encoded = codec.encode(pdu)
    assert int.from_bytes(encoded[2:6], "big") == len(encoded) - 6
    assert codec.decode(encoded[0], encoded[6:]) == pdu


def test_pynetdicom_reads_our_request() -> None:
    read = theirs.A_ASSOCIATE_RQ()
    read.decode(codec.encode(REQUEST))
    assert (read.called_ae_title.strip(), read.calling_ae_title.strip()) == ("CALLED", "CALLING")
    assert [context.abstract_syntax for context in read.presentation_context] == [
        context.abstract_syntax for context in REQUEST.contexts
    ]
    assert read.user_information.maximum_length == 16384


@pytest.mark.parametrize("pdu", [REQUEST, ACCEPT])
def test_a_cut_pdu_is_refused_or_has_less_in_it(pdu: Pdu) -> None:
    body = codec.encode(pdu)[6:]
    for cut in range(4, len(body)):
        try:
            assert codec.decode(codec.encode(pdu)[0], body[:cut]) != pdu
        except PeerError as error:
            assert error.abort_reason == 6


@given(st.integers(0, len(codec.encode(REQUEST)) - 7), st.integers(0, 255))
def test_a_changed_byte_is_read_or_refused(at: int, value: int) -> None:
    body = bytearray(codec.encode(REQUEST)[6:])
    body[at] = value
    try:
        codec.decode(1, bytes(body))
    except PeerError as error:
        assert error.abort_reason == 6


def with_context(context: bytes) -> bytes:
    fixed = codec.encode(AssociationRequest("A", "B", ()))[6:]
    return fixed + bytes((0x20, 0)) + len(context).to_bytes(2, "big") + context


@pytest.mark.parametrize(
    "context",
    [
        b"",
        b"\x02\0\0\0\x30\0\0\x011",
        b"\x01\0\0\0",
        b"\x01\0\0\0\x30\0\xff\xff1",
        b"\x01\0\0\0\x30\0\0\x011\x30\0\0\x011",
    ],
)
def test_contexts_that_are_none(context: bytes) -> None:
    with pytest.raises(PeerError):
        codec.decode(1, with_context(context))


def test_a_context_id_twice_is_refused() -> None:
    twice = AssociationRequest("A", "B", (REQUEST.contexts[0], REQUEST.contexts[0]))
    with pytest.raises(PeerError):
        codec.decode(1, codec.encode(twice)[6:])


def test_ae_titles_lose_their_padding_and_are_cut_at_16() -> None:
    encoded = codec.encode(AssociationRequest("  PACS", "A" * 20, ()))
    read = codec.decode(1, encoded[6:])
    assert isinstance(read, AssociationRequest)
    assert (read.called_ae_title, read.calling_ae_title) == ("PACS", "A" * 16)


def test_what_stands_behind_a_nul_is_no_part_of_an_ae_title() -> None:
    body = bytearray(codec.encode(AssociationRequest("US", "THEM", ()))[6:])
    body[20:36] = b"CT1\0\x07\x01left over"[:16].ljust(16)
    decoded = codec.decode(codec.A_ASSOCIATE_RQ, bytes(body))
    assert isinstance(decoded, AssociationRequest) and decoded.calling_ae_title == "CT1"
