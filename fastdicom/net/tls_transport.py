"""A connection under TLS, with the face of a plain one: what `Connection` and its users see is the same.

OpenSSL works on memory, not on the socket: one system call moves many records, and every wait stays the
plain transport's, with its deadlines and its `watch`. What was decrypted and not yet taken stands in the
way of nothing: `readable` and `buffered` tell of it, and so nobody waits on a socket for bytes that are
here already.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Sequence
from typing import cast

from fastdicom.errors import ConnectionLost
from fastdicom.net.certificates import PeerCertificate, peer_certificate
from fastdicom.net.tls import TlsError, explain, plain_cause
from fastdicom.net.transport import Transport

_ALERT = bytes((21, 3, 3, 0, 2, 2, 40))  # fatal, handshake_failure: RFC 8446 6
_RECORD = 16384  # bytes of data in one record, RFC 8446 5.1
_ENCRYPTED = 64 * 1024  # bytes of data that are encrypted, then sent: the peer decrypts while we go on
_CIPHERTEXT = 128 * 1024  # received at once
_HANDSHAKE = 4096  # the same before we know the peer
_LAST_WORDS_S = 1.0  # how long a peer may take to read why we refuse it


class TlsTransport(Transport):
    """A connected socket that speaks TLS once `start` has returned. Counts are bytes on the wire.

    server_hostname: to be found in the server's certificate, when the context checks it.
    """

    secure = True

    def __init__(
        self, sock: socket.socket, context: ssl.SSLContext, *, server_side: bool, server_hostname: str = ""
    ) -> None:
        super().__init__(sock)
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._server_side = server_side
        self._tls = context.wrap_bio(
            self._incoming, self._outgoing, server_side, server_hostname=server_hostname or None
        )
        self._ciphertext = memoryview(bytearray(_HANDSHAKE))
        self._first = b""
        self._started = self._ended = False
        self._full = False  # the last read ended because its buffer was full: there may be more

    # ------------------------------------------------------------------------------ handshake

    def start(self, timeout_s: float) -> None:
        """Do the handshake. Raises TlsError that names the cause; then the peer was told."""
        deadline = time.monotonic() + timeout_s
        try:
            while not self._shake_hands():
                self._feed(max(0.001, deadline - time.monotonic()))
        except TimeoutError:
            raise TlsError(f"TLS: no handshake within {timeout_s:g} s; does the peer speak TLS?") from None
        except ssl.SSLError as error:
            cause = plain_cause(self._first, not self._server_side) or explain(error)
            if self._sent_nothing:
                super().send([_ALERT], _LAST_WORDS_S)
            self._say_last_words()
            raise TlsError(f"TLS: {cause}") from error
        except ConnectionLost as error:
            raise TlsError(f"TLS: {self._cause_of_end(error)}") from error
        self._started = self._full = True  # what came behind the handshake is still to be looked at
        self._ciphertext = memoryview(bytearray(_CIPHERTEXT))

    def _cause_of_end(self, error: ConnectionLost) -> str:
        cause = plain_cause(self._first, not self._server_side) or f"{error} in the middle of the handshake"
        return cause if self._first or self._server_side else f"{cause}; does its port speak TLS?"

    def _shake_hands(self) -> bool:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        finally:
            self._flush(_LAST_WORDS_S)
        return True

    def _feed(self, timeout_s: float) -> bool:
        """Have OpenSSL take what comes; False when the peer has closed. Raises TimeoutError."""
        count = super().receive(self._ciphertext, timeout_s)
        if not self._started and len(self._first) < 8:
            self._first += bytes(self._ciphertext[:8])[:count]
        if count:
            self._incoming.write(self._ciphertext[:count])
        elif not self._started:
            raise ConnectionLost("the peer closed the connection")
        return count > 0

    def _say_last_words(self) -> None:
        """The alert is sent; wait a moment for the peer to close, or a reset could destroy it."""
        super().finish_writing()
        deadline = time.monotonic() + _LAST_WORDS_S
        with contextlib.suppress(ConnectionLost, TimeoutError):
            while time.monotonic() < deadline:
                if not super().receive(self._ciphertext, max(0.001, deadline - time.monotonic())):
                    return

    @property
    def _sent_nothing(self) -> bool:
        """OpenSSL has no answer to what is no TLS; with an alert the peer learns what it met."""
        return self._server_side and self.sent == 0

    @property
    def peer(self) -> PeerCertificate | None:
        """The peer's verified certificate; None when it showed none or we did not ask."""
        return peer_certificate(self._tls.getpeercert(), self._tls.getpeercert(True))

    @property
    def description(self) -> str:
        """`TLSv1.3 TLS_AES_256_GCM_SHA384`: for logs."""
        suite = self._tls.cipher()
        return f"{self._tls.version()} {suite[0] if suite else ''}"

    # ------------------------------------------------------------------------------ receiving

    def receive(self, into: memoryview, timeout_s: float) -> int:
        """Read what has come, at least one byte; 0 when the peer closed. Raises TimeoutError."""
        count = self._decrypt(into) if self._full else 0
        deadline = 0.0
        left = timeout_s
        while not count and not self._ended:
            if not self._feed(left):
                return 0
            count = self._decrypt(into)
            if not count:  # a piece of a record: the rest has to come in the same time
                deadline = deadline or time.monotonic() + timeout_s
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError
        return count

    def _decrypt(self, into: memoryview) -> int:
        """Fill `into` with what has been received, as far as it goes."""
        count = 0
        try:
            while count < len(into):
                more = cast(int, self._tls.read(len(into) - count, into[count:]))  # typeshed knows no buffer
                if not more:
                    self._ended = True  # close_notify, RFC 8446 6.1
                    break
                count += more
        except ssl.SSLWantReadError:
            self._full = False
        except ssl.SSLError as error:
            self._flush(_LAST_WORDS_S)
            raise TlsError(f"TLS: {explain(error)}") from error
        else:
            self._full = not self._ended
        if self._outgoing.pending:  # it asked for new keys: the answer is due
            self._flush(_LAST_WORDS_S)
        return count

    def readable(self) -> bool:
        """True when a read would not wait, or only for the rest of a record."""
        return self.buffered() or super().readable()

    def buffered(self) -> bool:
        """True when bytes are here that the socket does not show any more."""
        return self._full and not self._ended

    # ------------------------------------------------------------------------------ sending

    def send(self, pieces: Sequence[bytes | memoryview], timeout_s: float) -> None:
        """Send all of `pieces`. timeout_s: how long the peer may go without reading anything."""
        data = memoryview(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        try:
            for at in range(0, len(data), _ENCRYPTED):
                self._tls.write(data[at : at + _ENCRYPTED])  # all of it: memory takes whatever comes
                self._flush(timeout_s)
        except ssl.SSLError as error:
            raise TlsError(f"TLS: {explain(error)}") from error
        except ConnectionLost:
            self._look_for_alert()
            raise

    def _look_for_alert(self) -> None:
        """The peer is gone; what it said before may tell why. Raises TlsError when it does.

        A server of TLS 1.3 refuses our certificate after the handshake is over for us, and its reset can be
        here before our first message is sent.
        """
        with contextlib.suppress(OSError):
            while count := self.sock.recv_into(self._ciphertext, 0, socket.MSG_DONTWAIT):
                self._incoming.write(self._ciphertext[:count])
        self._decrypt(memoryview(bytearray(_RECORD)))

    def _flush(self, timeout_s: float) -> None:
        if self._outgoing.pending:
            super().send([self._outgoing.read()], timeout_s)

    # ------------------------------------------------------------------------------ the end

    def finish_writing(self) -> None:
        """Tell the peer that nothing more will come: close_notify, then the socket's own end."""
        self._notify_close()
        super().finish_writing()

    def close(self) -> None:
        """Give the descriptor back."""
        self._notify_close()
        super().close()

    def _notify_close(self) -> None:
        if not self._started or self.sock.fileno() < 0:
            return
        self._started = False
        with contextlib.suppress(ssl.SSLError, OSError, ConnectionLost):
            with contextlib.suppress(ssl.SSLError):
                self._tls.unwrap()  # only says so; the peer's own goodbye is not waited for
            self.sock.send(self._outgoing.read(), socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
