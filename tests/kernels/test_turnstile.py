"""One thread inside at a time, a slow one passed by, sockets read, and a forked process that begins anew."""

from __future__ import annotations

import errno
import os
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from fastdicom.kernels import turnstile


@pytest.fixture(autouse=True)
def nobody_stays_inside() -> Iterator[None]:
    yield
    turnstile.leave()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def beside(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_who_leaves_is_told_whether_it_was_inside() -> None:
    assert not turnstile.leave()
    turnstile.enter()
    turnstile.enter()
    assert turnstile.leave()
    assert not turnstile.leave()


def test_a_thread_waits_until_the_one_inside_leaves() -> None:
    """Patience is 2 ms for each that waits: that of the last of 200 is 0.4 s."""
    entered: list[float] = []

    def come() -> None:
        turnstile.enter()
        entered.append(time.monotonic())

    turnstile.enter()
    others = [beside(come) for _ in range(200)]
    time.sleep(0.02)
    assert len(entered) < 200
    turnstile.leave()
    for other in others:
        other.join(10)
    assert len(entered) == 200, "each passes by the one before it, which never leaves"


def test_one_that_stays_is_passed_by_and_its_leaving_lets_nobody_else_out() -> None:
    turnstile.enter()
    passed, done = threading.Event(), threading.Event()

    def pass_by() -> None:
        turnstile.enter()
        passed.set()
        done.wait(10)
        assert turnstile.leave()

    other = beside(pass_by)
    assert passed.wait(10)
    assert turnstile.leave()  # it thought so; the other one is still inside
    began = time.monotonic()
    turnstile.enter()  # so this waits, and passes by in turn
    assert time.monotonic() - began > 0.001
    done.set()
    other.join(10)


def test_bytes_are_read_and_the_end_is_zero(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    into = bytearray(4)
    theirs.send(b"abcdef")
    assert turnstile.receive(ours.fileno(), into) == 4
    assert into == b"abcd"
    assert turnstile.receive(ours.fileno(), memoryview(into)[1:]) == 2
    assert into == b"aefd"
    assert turnstile.leave()
    assert turnstile.receive(ours.fileno(), bytearray()) == 0
    theirs.close()
    assert turnstile.receive(ours.fileno(), into) == 0
    assert not turnstile.leave()


def test_what_fails_is_an_error_of_the_system(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, _ = pair
    turnstile.enter()
    with pytest.raises(OSError) as caught:
        turnstile.receive(-1, bytearray(1))
    assert caught.value.errno == errno.EBADF
    assert not turnstile.leave()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", 0, 1000))
    with pytest.raises(BlockingIOError):
        turnstile.receive(ours.fileno(), bytearray(1))
    with pytest.raises(BufferError):
        turnstile.receive(ours.fileno(), b"constant")


def test_who_reads_is_outside_meanwhile(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    reading = beside(lambda: _read_and_leave(ours))
    for _ in range(100):
        turnstile.enter()
        turnstile.leave()
    theirs.send(b"x")
    reading.join(10)
    assert not reading.is_alive()


def _read_and_leave(sock: socket.socket) -> None:
    turnstile.receive(sock.fileno(), bytearray(1))
    assert turnstile.leave()


def test_a_turn_may_be_given_before_it_is_waited_for() -> None:
    turn = turnstile.Turn()
    turn.give()
    turn.wait()
    assert not turnstile.is_inside(), "it was outside before"
    turnstile.enter()
    turn.give()
    turn.wait()
    assert turnstile.is_inside()


def test_a_turn_wakes_the_one_that_waits() -> None:
    turn = turnstile.Turn()
    waiting = beside(turn.wait)
    turn.give()
    waiting.join(10)
    assert not waiting.is_alive()


def test_a_signal_handler_ends_the_wait_for_a_turn() -> None:
    def interrupt(number: int, frame: object) -> None:
        raise InterruptedError("by the handler")

    previous = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    try:
        with pytest.raises(InterruptedError, match="by the handler"):
            turnstile.Turn().wait()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    assert not turnstile.leave()


def test_many_threads_take_turns_and_none_is_forgotten() -> None:
    entered = []

    def come_and_go() -> None:
        for _ in range(300):
            turnstile.enter()
            entered.append(1)
            turnstile.leave()

    threads = [beside(come_and_go) for _ in range(16)]
    for thread in threads:
        thread.join(30)
    assert len(entered) == 16 * 300


def test_a_forked_process_finds_it_empty() -> None:
    inside, done = threading.Event(), threading.Event()

    def stay() -> None:
        turnstile.enter()
        inside.set()
        done.wait(10)
        turnstile.leave()

    thread = beside(stay)
    assert inside.wait(10)
    child = os.fork()
    if child == 0:
        turnstile.enter()
        os._exit(0 if turnstile.leave() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    done.set()
    thread.join(10)
