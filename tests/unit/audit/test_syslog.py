"""Syslog messages and their frames."""

from __future__ import annotations

import pytest

from fastdicom.audit.syslog import WARNING, Header, framed, frames
from tests.support.syslog_receiver import parsed


def test_a_message_has_the_header_of_rfc_5424() -> None:
    header = Header(host="gate way\x1b", process=7)
    message = header.wrap(b"<AuditMessage/>", at=1_700_000_000.25)
    assert message.startswith(b"<85>1 2023-11-14T22:13:20.250Z gate_way_ fastdicom 7 DICOM+RFC3881 - ")
    assert parsed(message) == (85, b"<AuditMessage/>")
    assert parsed(header.wrap(b"x", WARNING))[0] == 84


def test_frames_come_back() -> None:
    messages = [b"", b"12 34", b"\xef\xbb\xbf<a/>", b"x" * 10_000]
    assert list(frames(b"".join(map(framed, messages)))) == messages


@pytest.mark.parametrize("cut", range(1, len(framed(b"second")) + 1))
def test_a_cut_frame_is_left_out(cut: int) -> None:
    assert list(frames((framed(b"first") + framed(b"second"))[:-cut])) == [b"first"]


@pytest.mark.parametrize("data", [b"x", b"-1 a", b"99999999999999 a", b" ", b"1"])
def test_what_are_no_frames_gives_none(data: bytes) -> None:
    assert list(frames(data)) == []
