"""Audit messages as syslog messages (RFC 5424, PS3.15 A.6, A.7), and these on a stream (RFC 5425 4.3)."""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime

NOTICE, WARNING = 5, 4
_FACILITY = 10  # security and authorization
_MESSAGE_ID = "DICOM+RFC3881"
_BOM = b"\xef\xbb\xbf"
_NOT_PRINTED = re.compile(r"[^\x21-\x7e]")


class Header:
    """The parts of a syslog header that stay the same. RFC 5424 6.2."""

    def __init__(self, application: str = "fastdicom", host: str = "", process: int = 0) -> None:
        self._rest = " ".join(
            (
                _field(host or socket.gethostname(), 255),
                _field(application, 48),
                str(process or os.getpid()),
                _MESSAGE_ID,
                "-",
            )
        )

    def wrap(self, message: bytes, severity: int = NOTICE, at: float | None = None) -> bytes:
        """The whole syslog message. at: seconds since the epoch."""
        moment = datetime.fromtimestamp(time.time() if at is None else at, UTC)
        stamp = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        head = f"<{_FACILITY * 8 + severity}>1 {stamp} {self._rest} "
        return head.encode("ascii") + _BOM + message


def framed(message: bytes) -> bytes:
    """A message on a stream: its length in octets in front. RFC 5425 4.3."""
    return b"%d %s" % (len(message), message)


def frames(data: bytes) -> Iterator[bytes]:
    """The messages of a stream that `framed` made; a last one that was cut is left out."""
    at = 0
    while at < len(data):
        space = data.find(b" ", at, at + 12)
        if space < 0 or not data[at:space].isdigit():
            return
        length = int(data[at:space])
        message = data[space + 1 : space + 1 + length]
        if len(message) < length:
            return
        yield message
        at = space + 1 + length


def _field(value: str, length_max: int) -> str:
    return _NOT_PRINTED.sub("_", value)[:length_max] or "-"
