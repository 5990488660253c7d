"""The journal's native protocol: a datagram of fields for each entry. systemd's JOURNAL_NATIVE_PROTOCOL.

A field is `KEY=value` and a line feed; a value with line feeds of its own is `KEY`, a line feed, the
value's length (64 bits, little endian), the value and a line feed. What is too long for a datagram
travels as a sealed memory file.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import struct
import time
from collections.abc import Mapping

JOURNAL_SOCKET = "/run/systemd/journal/socket"
_TOO_LONG = frozenset({errno.EMSGSIZE, errno.ENOBUFS})
_SEND_TIMEOUT_S = 0.5
_MUTE_S = 5.0  # after a journal that did not read: nobody waits for it again so soon
_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL


def is_journal(descriptor: int, journal_stream: str) -> bool:
    """True when `descriptor` is what JOURNAL_STREAM (`device:inode`) says leads to the journal."""
    device, _, inode = journal_stream.partition(":")
    if not (device.isdigit() and inode.isdigit()):
        return False
    try:
        found = os.fstat(descriptor)
    except OSError:
        return False
    return (found.st_dev, found.st_ino) == (int(device), int(inode))


class Journal:
    """A connection to the journal. Raises OSError when there is none."""

    def __init__(self, path: str = JOURNAL_SOCKET) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        try:
            self._socket.settimeout(_SEND_TIMEOUT_S)
            self._socket.connect(path)
        except OSError:
            self._socket.close()
            raise
        self._muted_until = 0.0
        self.lost = 0  # entries that the journal did not take in time

    def send(self, fields: Mapping[str, str]) -> None:
        """Write one entry. A journal that hangs costs half a second now and then and the entry.

        Raises OSError when the journal has gone.
        """
        now = time.monotonic()
        if now < self._muted_until:
            self.lost += 1
            return
        try:
            self._send(encode_fields(fields))
        except (TimeoutError, BlockingIOError):
            self._muted_until = now + _MUTE_S
            self.lost += 1

    def close(self) -> None:
        """Give the descriptor back."""
        self._socket.close()

    def _send(self, entry: bytes) -> None:
        try:
            self._socket.send(entry)
        except OSError as error:
            if error.errno not in _TOO_LONG:
                raise
            self._send_in_memory_file(entry)

    def _send_in_memory_file(self, entry: bytes) -> None:
        fd = os.memfd_create("fastdicom-journal", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            with os.fdopen(os.dup(fd), "wb") as file:
                file.write(entry)
            fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)
            socket.send_fds(self._socket, [], [fd])
        finally:
            os.close(fd)


def encode_fields(fields: Mapping[str, str]) -> bytes:
    """One entry. Names: capitals, digits and "_"."""
    encoded = bytearray()
    for name, value in fields.items():
        data = value.encode("utf-8", "backslashreplace")
        if b"\n" in data:
            encoded += name.encode() + b"\n" + struct.pack("<Q", len(data)) + data + b"\n"
        else:
            encoded += name.encode() + b"=" + data + b"\n"
    return bytes(encoded)
