"""One TCP connection: blocking calls with timeouts, few system calls, no protocol.

Timeouts are the kernel's own (SO_RCVTIMEO): one call a read instead of a poll before each.
"""

from __future__ import annotations

import select
import socket
import struct
import time
from collections.abc import Sequence
from typing import Protocol

from fastdicom.errors import ConnectionLost
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


class Transport:
    """A connected socket. Every method raises ConnectionLost when the connection is over.

    acknowledges_at_once: for a peer that writes its PDUs in two pieces under Nagle's algorithm (DCMTK
    does): the second piece waits for our ACK, which the kernel would delay by 40 ms.
    secure: under TLS, see `tls_transport`.
    """

    secure = False

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.watch: Watch | None = None
        self.acknowledges_at_once = False
        self._timeout = -1.0
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
        if self.watch is not None:
            self._wait(select.POLLIN, timeout_s)
        elif timeout_s != self._timeout:
            self._set_timeout(timeout_s)
        if self.acknowledges_at_once:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)  # it does not last
        try:
            count = self.sock.recv_into(into)
        except BlockingIOError:
            raise TimeoutError from None
        except OSError as error:
            raise ConnectionLost(f"connection lost: {error.strerror or error}") from error
        self.received += count
        return count

    def readable(self) -> bool:
        """True when a read would not wait."""
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        return bool(poll.poll(0))

    def buffered(self) -> bool:
        """True when bytes are here that the socket does not show any more."""
        return False

    def send(self, pieces: Sequence[bytes | memoryview], timeout_s: float) -> None:
        """Send all of `pieces`. timeout_s: how long the peer may go without reading anything."""
        total = sum(len(piece) for piece in pieces)
        sent = self._send_some(pieces[:_PIECES_MAX], timeout_s)
        self.sent += total
        if sent == total:
            return
        rest = [memoryview(piece) for piece in pieces]
        while True:
            while rest and sent >= len(rest[0]):
                sent -= len(rest.pop(0))
            if not rest:
                return
            rest[0] = rest[0][sent:]
            sent = self._send_some(rest[:_PIECES_MAX], timeout_s)

    def _send_some(self, pieces: Sequence[bytes | memoryview], timeout_s: float) -> int:
        while True:
            try:
                return self.sock.sendmsg(pieces, (), socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
            except BlockingIOError:
                try:
                    self._wait(select.POLLOUT, timeout_s)
                except TimeoutError:
                    raise ConnectionLost(f"the peer has read nothing for {timeout_s:g} s") from None
            except OSError as error:
                raise ConnectionLost(f"connection lost: {error.strerror or error}") from error

    def _wait(self, wanted: int, timeout_s: float) -> None:
        """Wait until the socket is ready; in the meantime `watch` is heard. Raises TimeoutError."""
        deadline = time.monotonic() + timeout_s
        poll = select.poll()
        poll.register(self.sock, wanted)
        watch_from = 0.0 if self.watch is not None else float("inf")
        if self.watch is not None and self.watch.buffered():
            self.watch.check()
        while True:
            now = time.monotonic()
            left = deadline - now
            if now >= watch_from and self.watch is not None:
                if self.watch.fileno() < 0:
                    raise ConnectionLost("the client's connection is closed")
                poll.register(self.watch.fileno(), select.POLLIN)
            pause = min(left, max(watch_from - now, 0.0) or left)
            ready = {descriptor for descriptor, _ in poll.poll(max(0.0, pause) * 1000)}
            if self.sock.fileno() in ready:
                return
            if ready and self.watch is not None:
                self.watch.check()
                poll.unregister(self.watch.fileno())  # it may stay readable: look again a little later
                watch_from = time.monotonic() + _WATCH_PAUSE_S
            if left <= 0:
                raise TimeoutError

    def _set_timeout(self, seconds: float) -> None:
        whole = int(seconds)
        micro = max(1, int((seconds - whole) * 1e6))  # 0 would mean: for ever
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", whole, micro))
        self._timeout = seconds

    def stop_reading(self) -> None:
        """From another thread: make a `receive` that waits return 0."""
        try:
            self.sock.shutdown(socket.SHUT_RD)
        except OSError:
            return  # it is closed already, which ends the wait too

    def finish_writing(self) -> None:
        """Tell the peer that nothing more will come."""
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            return  # the peer was faster

    def close(self) -> None:
        """Give the descriptor back."""
        self.sock.close()
