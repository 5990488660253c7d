"""One TCP connection: blocking calls with timeouts, few system calls, no protocol.

Timeouts are the kernel's own (SO_RCVTIMEO, SO_SNDTIMEO): one call a read or write, no poll before it.
"""

from __future__ import annotations

import select
import socket
import struct
from collections.abc import Sequence
from typing import Protocol

from fastdicom.errors import ConnectionLost
from fastdicom.kernels import turnstile
from fastdicom.net.certificates import PeerCertificate

_WATCH_PAUSE_S = 0.05
_PIECES_MAX = 512  # of one sendmsg; IOV_MAX is 1024


class Watch(Protocol):
    """Somebody else who has to be heard while we wait: the client of a C-MOVE."""

    def fileno(self) -> int:
        """The descriptor to look at."""

    def buffered(self) -> bool:
        """Bytes are here already that the descriptor does not show any more."""

    def check(self) -> None:
        """The descriptor is readable. Raises when waiting makes no sense any more."""

    def moved(self) -> None:
        """What we waited for on its behalf has come."""


class Transport:
    """A connected socket. Every method raises ConnectionLost when the connection is over.

    acknowledges_at_once: for a peer that writes its PDUs in two pieces under Nagle's algorithm (DCMTK
    does): the second piece waits for our ACK, which the kernel would delay by 40 ms.
    takes_turns: its thread is one of many that do the same, see `kernels.turnstile`; every wait is outside.
    secure: under TLS, see `tls_transport`.
    """

    secure = False

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.watch: Watch | None = None
        self.acknowledges_at_once = False
        self.takes_turns = False
        self._receive_s = self._send_s = -1.0  # what the kernel knows
        self.received = 0
        self.sent = 0
        sock.setblocking(True)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def fileno(self) -> int:
        """The socket's descriptor."""
        return self.sock.fileno()

    def start(self, timeout_s: float) -> None:
        """Do what comes before the first PDU: TLS shakes hands, a plain connection has nothing to do."""

    @property
    def peer(self) -> PeerCertificate | None:
        """The peer's verified certificate, if it showed one."""
        return None

    def receive(self, into: memoryview, timeout_s: float) -> int:
        """Read what has come, at least one byte; 0 when the peer closed. Raises TimeoutError."""
        slice_s = self._slice(timeout_s)
        if slice_s != self._receive_s:
            self._receive_s = self._set_timeout(socket.SO_RCVTIMEO, slice_s)
        waited_s = 0.0
        while True:
            try:
                if self.acknowledges_at_once:
                    self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)  # it does not last
                if self.takes_turns:
                    count = turnstile.receive(self.sock.fileno(), into)
                else:
                    count = self.sock.recv_into(into)
            except BlockingIOError:
                waited_s += slice_s
                self._waited(waited_s, timeout_s)
            except OSError as error:
                raise ConnectionLost(f"connection lost: {error.strerror or error}") from error
            else:
                self.received += count
                if self.watch is not None:
                    self.watch.moved()
                return count

    def readable(self) -> bool:
        """True when a read would not wait."""
        return _readable(self.sock.fileno())

    def buffered(self) -> bool:
        """True when bytes are here that the socket does not show any more."""
        return False

    def send(self, pieces: Sequence[bytes | memoryview], timeout_s: float) -> None:
        """Send all of `pieces`. timeout_s: how long the peer may go without reading anything."""
        total = sum(map(len, pieces))
        sent = self._send_some(pieces[:_PIECES_MAX], timeout_s)
        if sent == total:
            return
        rest = [memoryview(piece) for piece in pieces]
        while True:
            while rest and sent >= len(rest[0]):
                sent -= len(rest.pop(0))
            if not rest:
                return
            self._hear()
            rest[0] = rest[0][sent:]
            sent = self._send_some(rest[:_PIECES_MAX], timeout_s)

    def _send_some(self, pieces: Sequence[bytes | memoryview], timeout_s: float) -> int:
        slice_s = self._slice(timeout_s)
        if slice_s != self._send_s:
            self._send_s = self._set_timeout(socket.SO_SNDTIMEO, slice_s)
        waited_s = 0.0
        flags = socket.MSG_NOSIGNAL | (socket.MSG_DONTWAIT if self.takes_turns else 0)
        while True:
            try:
                count = self.sock.sendmsg(pieces, (), flags)
                self.sent += count  # at once: a peer that reads slowly is progress, too
                if self.watch is not None:
                    self.watch.moved()
                return count
            except BlockingIOError:
                if flags & socket.MSG_DONTWAIT:
                    turnstile.leave()
                    flags = socket.MSG_NOSIGNAL
                    continue
                waited_s += slice_s
                try:
                    self._waited(waited_s, timeout_s)
                except TimeoutError:
                    raise ConnectionLost(f"the peer has read nothing for {timeout_s:g} s") from None
            except OSError as error:
                raise ConnectionLost(f"connection lost: {error.strerror or error}") from error

    def _slice(self, timeout_s: float) -> float:
        """How long one system call may wait: with a `watch` we look up now and then."""
        return timeout_s if self.watch is None else min(timeout_s, _WATCH_PAUSE_S)

    def _waited(self, waited_s: float, timeout_s: float) -> None:
        """A system call waited in vain. Raises TimeoutError when that was long enough."""
        self._hear()
        if waited_s >= timeout_s:
            raise TimeoutError

    def _hear(self) -> None:
        """Let `watch` look at what its peer has to say."""
        if self.watch is None:
            return
        if self.watch.fileno() < 0:
            raise ConnectionLost("the client's connection is closed")
        if self.watch.buffered() or _readable(self.watch.fileno()):
            self.watch.check()

    def _set_timeout(self, option: int, seconds: float) -> float:
        whole = int(seconds)
        micro = max(1, int((seconds - whole) * 1e6))  # 0 would mean: for ever
        self.sock.setsockopt(socket.SOL_SOCKET, option, struct.pack("@ll", whole, micro))
        return seconds

    def stop_reading(self) -> None:
        """From another thread: make a `receive` that waits return 0."""
        self._shut_down(socket.SHUT_RD)

    def finish_writing(self) -> None:
        """Tell the peer that nothing more will come."""
        self._shut_down(socket.SHUT_WR)

    def cut(self) -> None:
        """From another thread: end every call that waits, whatever it waits for."""
        self._shut_down(socket.SHUT_RDWR)

    def _shut_down(self, how: int) -> None:
        try:
            self.sock.shutdown(how)
        except OSError:
            return  # it is closed already, or the peer was faster: who waits is woken either way

    def close(self) -> None:
        """Give the descriptor back."""
        self.sock.close()

    def forget(self) -> None:
        """In a fork: give its copy of the descriptor back, and say nothing on its parent's connection."""
        self.sock.close()


def _readable(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))
