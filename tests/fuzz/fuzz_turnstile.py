"""Two threads that go in and out, read sockets and wait for turns in any order, and none is stuck.

A byte is a step of both threads, each with a socket of its own. See docs/fuzzing.md.
"""

from __future__ import annotations

import socket
from queue import SimpleQueue
from threading import Thread

from fastdicom.kernels import turnstile

STEPS_MAX = 24


def one_input(data: bytes) -> None:
    results: SimpleQueue[BaseException | None] = SimpleQueue()

    def beside() -> None:
        try:
            walk(data[STEPS_MAX : 2 * STEPS_MAX])
        except BaseException as error:
            results.put(error)
        else:
            results.put(None)

    thread = Thread(target=beside, daemon=True)
    thread.start()
    walk(data[:STEPS_MAX])
    thread.join()
    error = results.get()
    if error is not None:
        raise error


def walk(steps: bytes) -> None:
    """Each step leaves this thread where it says it is."""
    turnstile.leave()
    inside = False
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for step in steps:
            inside = one_step(step, inside, ours, theirs)
    assert turnstile.leave() == inside


def one_step(step: int, inside: bool, ours: socket.socket, theirs: socket.socket) -> bool:
    kind, size = step & 3, step >> 2
    if kind == 0:
        turnstile.enter()
        return True
    if kind == 1:
        assert turnstile.leave() == inside
        return False
    if kind == 2:
        turn = turnstile.Turn()
        turn.give()
        turn.wait()
        return inside
    sent = bytes(range(size))
    if sent:
        theirs.send(sent)
    into = bytearray(size)
    assert turnstile.receive(ours.fileno(), into) == size and into == sent
    return inside or size > 0


def seeds() -> list[bytes]:
    return [b"\x00\x01\x02\x07\x01" * 6, bytes(range(48)), b"\x00" * 48, b"\xff\x01" * 24, b"\x02" * 30, b""]
