"""What the watchdog sees of a connection: every byte counts, also those of a peer that reads slowly."""

from __future__ import annotations

import socket
import threading

from fastdicom.net.transport import Transport


def test_a_peer_that_reads_slowly_is_progress_while_the_call_lasts() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(listener.getsockname())
    served, _ = listener.accept()
    served.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    transport = Transport(served)
    total = 1 << 20
    thread = threading.Thread(target=transport.send, args=([bytes(total)], 0.5))
    thread.start()
    marks, left = set(), total
    while left:
        left -= len(client.recv(min(left, 4096)))
        marks.add(transport.sent)
    thread.join()
    assert transport.sent == total
    assert len(marks) > 2
    for sock in (client, served, listener):
        sock.close()


class Client:
    """A watch that counts."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.moves = 0

    def fileno(self) -> int:
        return self._sock.fileno()

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
