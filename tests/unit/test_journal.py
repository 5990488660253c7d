"""The journal's native protocol, against a socket that stands for the journal."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastdicom import journal as module
from fastdicom.journal import Journal, encode_fields, is_journal


def decode_fields(entry: bytes) -> dict[str, str]:
    """A reference reader of one entry."""
    found, at = {}, 0
    while at < len(entry):
        end = entry.index(b"\n", at)
        name, equals, value = entry[at:end].partition(b"=")
        if equals:
            at = end + 1
        else:
            (length,) = struct.unpack_from("<Q", entry, end + 1)
            value = entry[end + 9 : end + 9 + length]
            at = end + 9 + length + 1
        found[name.decode()] = value.decode()
    return found


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    path = str(tmp_path / "journal")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(path)
        sock.settimeout(5)
        yield sock, path


@pytest.mark.parametrize("value", ["", "plain", "a=b", "two\nlines", "\n", "ä日本"])
def test_a_reader_gets_back_what_was_written(value: str) -> None:
    fields = {"MESSAGE": value, "PRIORITY": "6", "LAST": value}
    assert decode_fields(encode_fields(fields)) == fields


def test_a_line_feed_forges_no_field() -> None:
    assert decode_fields(encode_fields({"MESSAGE": "x\nPRIORITY=0"})) == {"MESSAGE": "x\nPRIORITY=0"}


def test_what_is_too_long_for_a_datagram_travels_in_a_memory_file(
    listening: tuple[socket.socket, str],
) -> None:
    sock, path = listening
    journal = Journal(path)
    text = "y" * (1 << 22)
    journal.send({"MESSAGE": text})
    message, descriptors, _, _ = socket.recv_fds(sock, 16, 1)
    assert message == b""
    with os.fdopen(descriptors[0], "rb") as file:
        file.seek(0)
        assert decode_fields(file.read()) == {"MESSAGE": text}
    journal.close()


def test_a_journal_that_does_not_read_is_not_waited_for_twice(
    listening: tuple[socket.socket, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SEND_TIMEOUT_S", 0.02)
    _, path = listening
    journal = Journal(path)
    for _ in range(10_000):
        journal.send({"MESSAGE": "z" * 1000})
        if journal.lost:
            break
    assert journal.lost == 1
    journal.send({"MESSAGE": "at once"})
    assert journal.lost == 2
    journal.close()


def test_a_stream_is_the_journals_when_device_and_inode_are() -> None:
    with open("/dev/null") as file:
        found = os.fstat(file.fileno())
        assert is_journal(file.fileno(), f"{found.st_dev}:{found.st_ino}")
        assert not is_journal(file.fileno(), f"{found.st_dev}:{found.st_ino + 1}")
        assert not is_journal(file.fileno(), "")
        assert not is_journal(file.fileno(), "no:numbers")
