"""Answers GET requests on a loopback port: metrics and health, nothing else.

Its clients are a scraper and a probe, but anybody on the machine may connect: a request has a few seconds
and a few KiB in all, and so many connections are served at once. One more takes the place of the one that has
kept us waiting longest: slow clients cannot shut the scraper out. Every answer ends its connection.
"""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import threading
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from fastdicom.errors import UsageError

log = logging.getLogger(__name__)

REQUEST_LENGTH_MAX = 8 * 1024
REQUEST_S = 5.0  # for the whole request, and again for the whole answer
_WAKE_S = 0.5
_REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 500: "Internal Error",
            503: "Service Unavailable"}  # fmt: skip


class Answer(NamedTuple):
    """What a page says."""

    status: int
    content_type: str
    body: bytes


class Request(NamedTuple):
    """What of a request counts. headers: names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]


class _Client:
    """A connection. waiting_since: for its request, or to take our answer; None while a page is made."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.waiting_since: float | None = time.monotonic()

    def cut(self) -> None:
        """From another thread: end every call that waits for it."""
        self.waiting_since = None
        with contextlib.suppress(OSError):  # it has gone already
            self.sock.shutdown(socket.SHUT_RDWR)


Page = Callable[[Request], Answer]


def text(status: int, body: str) -> Answer:
    """A page of plain text."""
    return Answer(status, "text/plain; charset=utf-8", body.encode())


class HttpServer:
    """Serves `pages` by path. connections_max: at once."""

    def __init__(self, pages: Mapping[str, Page], *, connections_max: int = 8) -> None:
        self._pages = dict(pages)
        self._places = threading.BoundedSemaphore(connections_max)
        self._clients: set[_Client] = set()
        self._lock = threading.Lock()  # of the set and of whom to cut: no descriptor is closed meanwhile
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._socket: socket.socket

    def start(self, bind: str, port: int) -> tuple[str, int]:
        """Listen; returns the address with the port that was taken. Raises UsageError."""
        family = socket.AF_INET6 if ":" in bind else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.bind((bind, port))
            self._socket.listen(64)
        except OSError as error:
            self._socket.close()
            raise UsageError(f"[metrics] cannot listen on {bind} port {port}: {error.strerror}") from error
        self._socket.setblocking(False)
        self._thread = threading.Thread(target=self._run, name="fastdicom-metrics", daemon=True)
        self._thread.start()
        address: tuple[str, int] = self._socket.getsockname()[:2]
        return address

    def stop(self) -> None:
        """Answer nothing more."""
        self._stopping.set()
        if self._thread is not None:
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes the thread
            self._thread.join()
            self._socket.close()

    def _run(self) -> None:
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        while not self._stopping.is_set():
            if poll.poll(_WAKE_S * 1000) and not self._stopping.is_set():
                self._accept()

    def _accept(self) -> None:
        try:
            sock, _ = self._socket.accept()
        except BlockingIOError:
            return
        except OSError as error:
            log.warning("cannot accept a connection for metrics: %s", error)
            self._stopping.wait(_WAKE_S)
            return
        if not self._places.acquire(blocking=False) and not self._make_room():
            sock.close()
            return
        client = _Client(sock)
        with self._lock:
            self._clients.add(client)
        try:
            threading.Thread(target=self._serve, args=(client,), name="fastdicom-http", daemon=True).start()
        except RuntimeError:  # no thread is left for it
            self._end(client)

    def _make_room(self) -> bool:
        """End who has kept us waiting longest, and take its place; False when there is none to have."""
        with self._lock:
            since = {client: client.waiting_since for client in self._clients}
            waiting = {client: began for client, began in since.items() if began is not None}
            if not waiting:
                return False
            min(waiting, key=waiting.__getitem__).cut()
        return self._places.acquire(timeout=_WAKE_S)

    def _end(self, client: _Client) -> None:
        with self._lock:
            self._clients.discard(client)
            client.sock.close()
        self._places.release()

    def _serve(self, client: _Client) -> None:
        try:
            answer = self._answer(client)
            client.waiting_since = time.monotonic()
            _send(client.sock, _encoded(*answer), time.monotonic() + REQUEST_S)
            _hang_up(client.sock)
        except OSError as error:
            log.debug("a client of the metrics port: %s", error)
        finally:
            self._end(client)

    def _answer(self, client: _Client) -> tuple[Answer, bool]:
        """The answer and whether its body is wanted."""
        try:
            request = _parsed(_received(client.sock, time.monotonic() + REQUEST_S))
        except ValueError as error:
            return text(400, f"{error}\n"), True
        client.waiting_since = None
        page = self._pages.get(request.path)
        if request.method not in ("GET", "HEAD"):
            return text(405, "only GET\n"), True
        if page is None:
            return text(404, " ".join(self._pages) + "\n"), request.method == "GET"
        try:
            return page(request), request.method == "GET"
        except Exception:
            log.exception("the page %s failed", request.path)
            return text(500, "see the log\n"), True


def _received(client: socket.socket, deadline: float) -> bytes:
    """The head of a request. Raises ValueError or OSError."""
    head = b""
    while b"\r\n\r\n" not in head and b"\n\n" not in head:
        client.settimeout(max(0.001, deadline - time.monotonic()))
        piece = client.recv(4096)
        head += piece
        if not piece or len(head) > REQUEST_LENGTH_MAX:
            raise ValueError("no whole request" if not piece else "a request this long")
        if time.monotonic() > deadline:
            raise TimeoutError("a request took too long")
    return head


def _parsed(head: bytes) -> Request:
    lines = head.decode("latin-1").splitlines()
    words = lines[0].split(" ") if lines else []
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise ValueError("no HTTP request")
    fields = (line.partition(":") for line in lines[1:] if ":" in line)
    headers = {name.strip().lower(): value.strip() for name, _, value in fields}
    return Request(words[0], words[1].partition("?")[0], headers)


def _encoded(answer: Answer, with_body: bool) -> bytes:
    head = (
        f"HTTP/1.1 {answer.status} {_REASONS[answer.status]}\r\nContent-Type: {answer.content_type}\r\n"
        f"Content-Length: {len(answer.body)}\r\nCache-Control: no-store\r\n"
        "X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
    )
    return head.encode("ascii") + (answer.body if with_body else b"")


def _send(client: socket.socket, data: bytes, deadline: float) -> None:
    rest = memoryview(data)
    while rest:
        client.settimeout(max(0.001, deadline - time.monotonic()))
        rest = rest[client.send(rest) :]


def _hang_up(client: socket.socket) -> None:
    """Close without a reset: what the client still sends must not cost it the answer."""
    client.shutdown(socket.SHUT_WR)
    client.settimeout(0.2)
    client.recv(4096)
