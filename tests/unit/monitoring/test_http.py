"""The HTTP port: right for who asks well, unmoved by everybody else."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from fastdicom.errors import UsageError
from fastdicom.monitoring import http as http_module
from fastdicom.monitoring.http import Answer, HttpServer, Request, text

Address = tuple[str, int]


def broken(request: Request) -> Answer:
    raise KeyError("our own fault")


@pytest.fixture(scope="module")
def address() -> Iterator[Address]:
    big = Answer(200, "text/plain", b"x" * 20_000_000)
    server = HttpServer(
        {"/ok": lambda request: text(200, "fine\n"), "/big": lambda request: big, "/broken": broken},
        connections_max=4,
    )
    yield server.start("127.0.0.1", 0)
    server.stop()


def get(address: Address, path: str = "/ok", method: str = "GET") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(*address, timeout=5)
    connection.request(method, path)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body


def said(address: Address, request: bytes) -> bytes:
    with socket.create_connection(address, timeout=5) as client:
        client.sendall(request)
        found = b""
        while piece := client.recv(65536):
            found += piece
    return found


def test_pages_are_served(address: Address) -> None:
    assert get(address) == (200, b"fine\n")
    assert get(address, "/ok?x=1") == (200, b"fine\n")
    assert get(address, method="HEAD") == (200, b"")
    assert get(address, "/nothing")[0] == 404
    assert get(address, method="POST")[0] == 405


def test_a_page_that_fails_is_our_fault_and_said_in_the_log(
    address: Address, caplog: pytest.LogCaptureFixture
) -> None:
    assert get(address, "/broken") == (500, b"see the log\n")
    assert "our own fault" in caplog.text


@pytest.mark.parametrize(
    "request_",
    [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"\0" * 100 + b"\n\n", b"GET\r\n\r\n",
     b"GET / SPDY/9\r\n\r\n", b"\r\n\r\n", b"\xff\xfe /ok HTTP/1.1\n\n", b"GET /ok HTTP/1.1" + b"x" * 9000],
)  # fmt: skip
def test_nonsense_is_answered_and_forgotten(address: Address, request_: bytes) -> None:
    assert said(address, request_).split(b" ")[1] in (b"400", b"405")
    assert get(address) == (200, b"fine\n")


def test_slow_and_silent_clients_end_and_leave_room(
    address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_module, "REQUEST_S", 0.3)
    clients = [socket.create_connection(address) for _ in range(4)]
    clients[0].sendall(b"GET /big HTTP/1.1\r\n\r\n")  # and does not read
    with pytest.raises(ConnectionError):  # it never comes to an end, so we do; the others say nothing
        for _ in range(500):
            clients[1].sendall(b"G")
            time.sleep(0.01)
    deadline = time.monotonic() + 5
    while True:
        try:
            assert get(address) == (200, b"fine\n")
            break
        except (ConnectionError, http.client.HTTPException):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    for client in clients:
        client.close()


def test_one_more_than_allowed_is_closed_at_once(address: Address) -> None:
    before = threading.active_count()
    clients = [socket.create_connection(address) for _ in range(40)]
    time.sleep(0.2)
    assert threading.active_count() - before <= 4
    closed = 0
    for client in clients:
        client.settimeout(0.01)
        try:
            closed += client.recv(1) == b""
        except ConnectionError:
            closed += 1
        except TimeoutError:
            continue
    assert closed == 36
    for client in clients:
        client.close()


def slow_readers(address: Address, count: int) -> list[socket.socket]:
    clients = [socket.create_connection(address) for _ in range(count)]
    for client in clients:
        client.sendall(b"GET /big HTTP/1.1\r\n\r\n")
    return clients


def test_a_scrape_is_answered_beside_slow_clients(address: Address) -> None:
    clients = []
    for _ in range(5):
        clients += [socket.create_connection(address) for _ in range(4)]
        assert get(address) == (200, b"fine\n")
        clients += slow_readers(address, 4)
        time.sleep(0.05)  # they have their answers in front of them
        assert get(address) == (200, b"fine\n")
    for client in clients:
        client.close()


def test_a_page_at_work_is_not_ended_for_one_more() -> None:
    go_on, at_work = threading.Event(), threading.Semaphore(0)

    def long(request: Request) -> Answer:
        at_work.release()
        assert go_on.wait(10)
        return text(200, "long\n")

    server = HttpServer({"/long": long, "/ok": lambda request: text(200, "fine\n")}, connections_max=2)
    address = server.start("127.0.0.1", 0)
    answers: list[tuple[int, bytes]] = []
    threads = [threading.Thread(target=lambda: answers.append(get(address, "/long"))) for _ in range(2)]
    threads[0].start()
    assert at_work.acquire(timeout=5)
    assert get(address) == (200, b"fine\n")
    threads[1].start()
    assert at_work.acquire(timeout=5)
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        get(address)  # both places are at work
    go_on.set()
    for thread in threads:
        thread.join(5)
    assert answers == [(200, b"long\n")] * 2
    server.stop()


def test_a_taken_port_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"127.0.0.1 port {port}"):
            HttpServer({}).start("127.0.0.1", port)
