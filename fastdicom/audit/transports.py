"""Where audit messages go: a syslog receiver over TLS, TCP or UDP, or a file. One connection, one thread.

Every method raises OSError when the receiver cannot be reached; nothing waits longer than the timeouts here.
"""

from __future__ import annotations

import fcntl
import os
import select
import socket
import struct
import termios
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from fastdicom.audit.syslog import framed

CONNECT_S = 5.0
SEND_S = 10.0
DATAGRAM_LENGTH_MAX = 65_000


class Transport(Protocol):
    """One way to the receiver."""

    def open(self) -> None:
        """Connect, if that is needed."""

    def send(self, messages: Sequence[bytes]) -> None:
        """Send all of them, or raise."""

    def unconfirmed(self) -> list[bytes]:
        """After a failure: what was sent and may not have arrived. Forgets it."""

    def close(self) -> None:
        """Give everything back."""


class StreamTransport:
    """Octet-counted messages over TCP (RFC 6587 3.4.1) or TLS (RFC 5425).

    context: an ssl.SSLContext for TLS. What the peer's kernel has not acknowledged when the connection breaks
    is given back for another attempt: a message may come twice, it does not get lost on the way.
    """

    def __init__(self, host: str, port: int, context: TlsContext | None = None) -> None:
        self._place = (host, port)
        self._context = context
        self._socket: socket.socket | None = None
        self._recent: list[bytes] = []

    def open(self) -> None:
        if self._socket is not None:
            return
        sock = socket.create_connection(self._place, timeout=CONNECT_S)
        try:
            if self._context is not None:
                sock = self._context.wrap_socket(sock, server_hostname=self._place[0])
            sock.settimeout(SEND_S)
        except BaseException:
            sock.close()
            raise
        self._socket = sock

    def send(self, messages: Sequence[bytes]) -> None:
        sock = self._socket
        if sock is None:
            raise ConnectionError("not connected")
        self._forget_arrived(_unacknowledged(sock))
        if _closed_by_peer(sock):
            raise ConnectionError("the receiver closed the connection")
        self._recent += messages
        sock.sendall(b"".join(map(framed, messages)))

    def _forget_arrived(self, unacknowledged: int) -> None:
        """Keep the last messages that hold so many bytes; TLS only makes them longer."""
        keep = 0
        while keep < len(self._recent) and unacknowledged > 0:
            keep += 1
            unacknowledged -= len(self._recent[-keep])
        self._recent = self._recent[len(self._recent) - keep :]

    def unconfirmed(self) -> list[bytes]:
        recent, self._recent = self._recent, []
        return recent

    def close(self) -> None:
        sock, self._socket = self._socket, None
        if sock is not None:
            sock.close()


class TlsContext(Protocol):
    """What we use of ssl.SSLContext."""

    def wrap_socket(self, sock: socket.socket, *, server_hostname: str) -> socket.socket: ...


class DatagramTransport:
    """A message a datagram. RFC 5426. Nobody says whether it arrived, except a machine whose port is closed,
    about the datagrams before."""

    def __init__(self, host: str, port: int) -> None:
        self._place = (host, port)
        self._socket: socket.socket | None = None
        self._previous: list[bytes] = []

    def open(self) -> None:
        if self._socket is None:
            (family, kind, protocol, _, address), *_ = socket.getaddrinfo(
                *self._place, type=socket.SOCK_DGRAM
            )
            self._socket = socket.socket(family, kind, protocol)
            self._socket.connect(address)

    def send(self, messages: Sequence[bytes]) -> None:
        if self._socket is None:
            raise ConnectionError("not connected")
        for message in messages:
            self._socket.send(message[:DATAGRAM_LENGTH_MAX])
        self._previous = list(messages)

    def unconfirmed(self) -> list[bytes]:
        previous, self._previous = self._previous, []
        return previous

    def close(self) -> None:
        sock, self._socket = self._socket, None
        if sock is not None:
            sock.close()


class FileTransport:
    """A line a message. A file that is full becomes `.1`, that one `.2`; the last of `count` goes."""

    def __init__(self, path: Path, length_max: int, count: int) -> None:
        self._path = path
        self._length_max = length_max
        self._count = count
        self._fd = -1

    def open(self) -> None:
        if self._fd < 0:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            self._fd = os.open(self._path, flags, 0o640)

    def send(self, messages: Sequence[bytes]) -> None:
        data = b"".join(message + b"\n" for message in messages)
        start = os.fstat(self._fd).st_size
        if start and start + len(data) > self._length_max:
            self._rotate()
            start = 0
        try:
            while data:
                data = data[os.write(self._fd, data) :]
            os.fdatasync(self._fd)
        except OSError:
            os.ftruncate(self._fd, start)  # all of them are tried again
            raise

    def unconfirmed(self) -> list[bytes]:
        return []

    def close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def _rotate(self) -> None:
        self.close()
        names = [self._path, *(Path(f"{self._path}.{number}") for number in range(1, self._count))]
        for older, newer in zip(reversed(names[1:]), reversed(names[:-1]), strict=True):
            if newer.exists():
                os.replace(newer, older)
        self._path.unlink(missing_ok=True)  # with a count of one
        self.open()


def _closed_by_peer(sock: socket.socket) -> bool:
    """A receiver never says anything: what can be read is its end, or an alert before it."""
    poll = select.poll()
    poll.register(sock, select.POLLIN | select.POLLHUP)
    if not poll.poll(0):
        return False
    sock.settimeout(0.0)
    try:
        return not sock.recv(4096)
    except (BlockingIOError, InterruptedError):
        return False
    except OSError as error:
        return type(error).__name__ != "SSLWantReadError"  # a session ticket of TLS 1.3 is no data
    finally:
        sock.settimeout(SEND_S)


def _unacknowledged(sock: socket.socket) -> int:
    """Bytes that the peer's kernel has not acknowledged."""
    answer = fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, b"\0\0\0\0")
    count: int = struct.unpack("@i", answer)[0]
    return count
