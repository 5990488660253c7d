"""What the watchdog sees of a connection: every byte counts, also those of a peer that reads slowly."""

from __future__ import annotations

import socket
import threading
import time

from fastdicom.net.transport import Transport


def test_a_peer_that_reads_slowly_is_progress_while_the_call_lasts() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(listener.getsockname())
    served, _ = listener.accept()
    served.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    asker, other = socket.socketpair()
    transport = Transport(served)
    transport.watch = Client(asker)  # who asked for it is heard in between: no system call waits for long
    total = 1 << 18
    thread = threading.Thread(target=transport.send, args=([bytes(total)], 60.0))
    thread.start()
    left, seen = total, 0
    for _ in range(2):
        seen = moved_on(transport, seen)
        assert seen < total and thread.is_alive()
        while total - left < seen:  # all that is on its way
            left -= len(client.recv(seen - (total - left)))
    while left:
        left -= len(client.recv(left))
    thread.join()
    assert transport.sent == total
    for sock in (client, served, listener, asker, other):
        sock.close()


def moved_on(transport: Transport, seen: int) -> int:
    """How much it has sent, once that is more than `seen`."""
    deadline = time.monotonic() + 30
    while transport.sent <= seen:
        assert time.monotonic() < deadline, f"after {seen} bytes nothing was sent"
        time.sleep(0.001)
    return transport.sent


class Client:
    """A watch that counts."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.moves = 0

    def fileno(self) -> int:
        return self._sock.fileno()

    def buffered(self) -> bool:
        return False

    def check(self) -> None:
        raise AssertionError("it has said nothing")

    def moved(self) -> None:
        self.moves += 1


def test_what_a_destination_takes_and_says_is_progress_of_the_client() -> None:
    client, other = socket.socketpair()
    listener = socket.create_server(("127.0.0.1", 0))
    destination = socket.create_connection(listener.getsockname())
    served, _ = listener.accept()
    transport = Transport(served)
    transport.watch = watch = Client(client)
    transport.send([b"take this"], 1.0)
    assert watch.moves == 1
    destination.sendall(b"taken")
    transport.receive(memoryview(bytearray(16)), 1.0)
    assert watch.moves == 2
    for sock in (client, other, listener, destination, served):
        sock.close()
