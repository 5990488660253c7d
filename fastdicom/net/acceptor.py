"""Listens, and gives every connection a thread of its own. The accept loop only accepts.

A peer that connects and says nothing costs a thread and a slot until ARTIM ends, and nobody waits for it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import socket
import threading
from collections.abc import Callable, Iterable

from fastdicom.errors import UsageError

log = logging.getLogger(__name__)

_BACKLOG = 1024
_STACK_BYTES = 512 * 1024
_EXHAUSTED_PAUSE_S = 0.1  # when there is no descriptor left for a new connection


class Acceptor:
    """Listening sockets and the thread that accepts on them.

    serve: called on the accepting thread with a new socket, the peer's address and whether it has to speak
    TLS; it must not block. inherit: a socket that listens on an address and port already (socket
    activation), or None.
    """

    def __init__(
        self,
        serve: Callable[[socket.socket, str, bool], None],
        inherit: Callable[[str, int], socket.socket | None] = lambda address, port: None,
    ) -> None:
        self._serve = serve
        self._inherit = inherit
        self._sockets: list[socket.socket] = []
        self._own: list[socket.socket] = []  # those that nobody else listens on
        self._secure: set[int] = set()  # descriptors of those that expect TLS
        self._wake_read = self._wake_write = -1
        self._thread: threading.Thread | None = None
        self.turns = 0  # of the accept loop: proof of life for a watchdog

    def listen(self, addresses: Iterable[str], port: int, *, secure: bool = False) -> list[tuple[str, int]]:
        """Bind and listen; returns the addresses with the ports that were taken. Raises UsageError.

        secure: who connects here has to speak TLS. May be called again for another port.
        """
        fresh: list[socket.socket] = []
        own: list[socket.socket] = []
        try:
            for address in addresses:
                sock = self._inherit(address, port)
                if sock is None:
                    sock = _listening(address, port)
                    own.append(sock)
                if sock not in fresh:
                    fresh.append(sock)
                port = fresh[0].getsockname()[1]  # port 0: the same free one for every address
        except UsageError:
            for sock in fresh:
                sock.close()
            raise
        self._sockets += fresh
        self._own += own
        if secure:
            self._secure |= {sock.fileno() for sock in fresh}
        return [sock.getsockname()[:2] for sock in fresh]

    @property
    def thread_identity(self) -> int | None:
        """Of the thread that accepts."""
        return None if self._thread is None else self._thread.ident

    def start(self) -> None:
        """Begin to accept."""
        self._wake_read, self._wake_write = os.pipe()
        self._thread = threading.Thread(target=self._run, name="fastdicom-accept", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Accept nothing more; returns when the ports are free."""
        os.write(self._wake_write, b"x")
        if self._thread is not None:
            self._thread.join()
        for sock in self._own:
            sock.shutdown(socket.SHUT_RDWR)  # a process that the host forked holds them open, too
        for sock in self._sockets:
            sock.close()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _run(self) -> None:
        poll = select.poll()
        by_fd = {sock.fileno(): sock for sock in self._sockets}
        for fd in (*by_fd, self._wake_read):
            poll.register(fd, select.POLLIN)
        while True:
            ready = poll.poll(1000)
            self.turns += 1
            for fd, _ in ready:
                if fd == self._wake_read:
                    return
                self._accept(by_fd[fd])

    def _accept(self, listening: socket.socket) -> None:
        try:
            sock, address = listening.accept()
        except BlockingIOError:
            return
        except OSError as error:
            log.error("cannot accept a connection: %s", error)
            select.poll().poll(_EXHAUSTED_PAUSE_S * 1000)  # no descriptor: do not spin until there is one
            return
        try:
            self._serve(sock, address[0], listening.fileno() in self._secure)
        except Exception:
            log.exception("a connection from %s could not be served", address[0])
            sock.close()


def start_thread(target: Callable[[], None], name: str) -> threading.Thread:
    """A daemon thread with a small stack: there is one for each association."""
    with _stack_lock:
        previous = threading.stack_size(_STACK_BYTES)
        try:
            thread = threading.Thread(target=target, name=name, daemon=True)
            thread.start()
        finally:
            threading.stack_size(previous)
    return thread


def turn_away(sock: socket.socket, goodbye: bytes) -> None:
    """Close a connection that there is no room for; `goodbye` reaches a peer that reads before it is done."""
    with contextlib.suppress(OSError):
        sock.send(goodbye, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
        sock.shutdown(socket.SHUT_WR)
    sock.close()


_stack_lock = threading.Lock()


def _listening(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if address == "::":
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind((address, port))
        sock.listen(_BACKLOG)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        raise UsageError(f"cannot listen on {address} port {port}: {error.strerror or error}") from error
    return sock
