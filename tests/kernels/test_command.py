"""kernels.command: what pydicom and pynetdicom write, we read, and the other way round."""

from __future__ import annotations

import struct
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.filereader import read_dataset

from fastdicom.errors import PeerError
from fastdicom.kernels import command

FIELDS = [
    (0x0002, "1.2.840.10008.5.1.4.1.1.2"),
    (0x0100, 0x8001),
    (0x0120, 65535),
    (0x0800, 0x0101),
    (0x0900, 0xA900),
    (0x0901, (0x00080016, 0x00080018)),
    (0x0902, "an odd comment."),
    (0x1000, "1.2.3"),
]


def element(number: int, value: bytes, group: int = 0) -> bytes:
    return struct.pack("<HHI", group, number, len(value)) + value


def test_fields_come_back() -> None:
    assert command.decode(command.encode(FIELDS)) == dict(FIELDS)


def test_pydicom_reads_what_we_write() -> None:
    encoded = command.encode(FIELDS)
    dataset = read_dataset(BytesIO(encoded), is_implicit_VR=True, is_little_endian=True)
    assert dataset.CommandGroupLength == len(encoded) - 12
    assert dataset.AffectedSOPClassUID == FIELDS[0][1]
    assert dataset.Status == 0xA900
    assert [int(tag) for tag in dataset.OffendingElement] == [0x00080016, 0x00080018]
    assert dataset.ErrorComment == "an odd comment."


@given(st.binary(max_size=200))
def test_garbage_is_read_or_refused(data: bytes) -> None:
    try:
        command.decode(data)
    except PeerError as error:
        assert error.abort_reason == 6


@pytest.mark.parametrize("cut", range(1, len(command.encode(FIELDS))))
def test_a_cut_command_set_never_reads_past_its_end(cut: int) -> None:
    whole = command.encode(FIELDS)
    try:
        fields = command.decode(whole[:cut])
    except PeerError:
        return
    assert fields.items() <= dict(FIELDS).items()


@pytest.mark.parametrize(
    "data",
    [
        element(0x0100, b"\x01"),
        element(0x0100, b"\x01\0\0\0"),
        element(0x0901, b"123"),
        element(0x0100, b"\x01\0", group=8),
        struct.pack("<HHI", 0, 0x0002, 0xFFFFFFFF),
        b"\0\0\0",
    ],
)
def test_what_does_not_fit_is_refused(data: bytes) -> None:
    with pytest.raises(PeerError):
        command.decode(data)


def test_padding_is_removed_and_elements_may_come_in_any_order() -> None:
    data = element(0x0600, b" PACS   ") + element(0x0002, b"1.2\0") + element(0x0110, b"\x07\0")
    assert command.decode(data) == {0x0600: "PACS", 0x0002: "1.2", 0x0110: 7}


def test_unknown_elements_are_passed_over() -> None:
    assert command.decode(element(0x5010, b"xxxx") + element(0x0110, b"\x07\0")) == {0x0110: 7}
