"""Delivery: nobody waits, nothing is lost while a receiver is away, and what is lost is said."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from fastdicom.audit import sender as sender_module
from fastdicom.audit.sender import Sender
from fastdicom.audit.spool import Spool
from fastdicom.audit.transports import StreamTransport
from tests.support.syslog_receiver import Receiver
from tests.support.waiting import wait_for


class Faulty:
    """A transport that is away while `away`, and holds a send while `held`."""

    def __init__(self) -> None:
        self.away = self.connected = False
        self.arrived: list[bytes] = []
        self.free = threading.Event()
        self.free.set()
        self.may_be_lost: list[bytes] = []

    def open(self) -> None:
        if self.away and not self.connected:
            raise ConnectionRefusedError("away")
        self.connected = True

    def send(self, messages: Sequence[bytes]) -> None:
        self.free.wait(10)
        if self.away:
            raise BrokenPipeError("away")
        self.arrived += messages

    def unconfirmed(self) -> list[bytes]:
        lost, self.may_be_lost = self.may_be_lost, []
        return lost

    def close(self) -> None:
        self.connected = False


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender_module, "_RETRY_S", (0.02,))
    monkeypatch.setattr(sender_module, "_TURN_S", 0.02)


def numbered(first: int, last: int) -> list[bytes]:
    return [b"message %04d" % number for number in range(first, last)]


def sender(
    transport: object, folder: Path, spool_length: int = 1 << 20, queue_length: int = 1 << 20
) -> Sender:
    spool = Spool(folder, spool_length)
    return Sender(transport, spool, lambda count: b"lost %d" % count, queue_length_max=queue_length)  # type: ignore[arg-type]


def test_everything_arrives_in_order_though_the_receiver_was_away(tmp_path: Path) -> None:
    transport = Faulty()
    one = sender(transport, tmp_path)
    one.start()
    for message in numbered(0, 10):
        one.put(message)
    wait_for(lambda: len(transport.arrived) == 10)
    transport.away = True
    for message in numbered(10, 200):
        one.put(message)
    wait_for(lambda: one.queued == 0)
    assert one.spool_bytes > 0
    transport.away = False
    for message in numbered(200, 220):
        one.put(message)
    wait_for(lambda: len(transport.arrived) == 220)
    one.stop()
    assert transport.arrived == numbered(0, 220)
    assert (one.sent, one.dropped, one.spool_bytes) == (220, 0, 0)
    assert one.spooled >= 190


def test_what_a_broken_connection_may_have_lost_is_sent_again(tmp_path: Path) -> None:
    transport = Faulty()
    one = sender(transport, tmp_path)
    one.start()
    one.put(b"arrived")
    wait_for(lambda: transport.arrived == [b"arrived"])
    transport.may_be_lost, transport.away = [b"sent into the void"], True
    one.put(b"not sent")
    wait_for(lambda: one.spool_bytes > 0 and one.queued == 0)
    transport.away = False
    wait_for(lambda: len(transport.arrived) == 3)
    one.stop()
    assert transport.arrived == [b"arrived", b"sent into the void", b"not sent"]


def test_putting_never_waits_for_a_receiver_that_hangs(tmp_path: Path) -> None:
    transport = Faulty()
    transport.free.clear()
    one = sender(transport, tmp_path, queue_length=1200)
    one.start()
    started = time.monotonic()
    for message in numbered(0, 5000):
        one.put(message)
    assert time.monotonic() - started < 1.0
    assert one.dropped >= 5000 - 100 - sender_module.BATCH
    dropped = one.dropped
    transport.free.set()
    wait_for(lambda: b"lost %d" % dropped in transport.arrived)
    one.stop()
    assert len(transport.arrived) == 5000 - dropped + 1


def test_a_full_spool_is_said_once_the_receiver_is_back(tmp_path: Path) -> None:
    transport = Faulty()
    transport.away = True
    one = sender(transport, tmp_path, spool_length=300)
    one.start()
    for message in numbered(0, 100):
        one.put(message)
    wait_for(lambda: one.queued == 0 and one.dropped > 0)
    transport.away = False
    wait_for(lambda: any(message.startswith(b"lost") for message in transport.arrived))
    one.stop()
    kept = len(transport.arrived) - 1
    assert transport.arrived[:kept] == numbered(0, kept)
    assert transport.arrived[-1] == b"lost %d" % (100 - kept)


def test_what_could_not_be_sent_waits_for_the_next_start(tmp_path: Path) -> None:
    away, back = Faulty(), Faulty()
    away.away = True
    one = sender(away, tmp_path)
    one.start()
    for message in numbered(0, 30):
        one.put(message)
    one.stop()
    two = sender(back, tmp_path)
    two.start()
    wait_for(lambda: len(back.arrived) == 30)
    two.stop()
    assert back.arrived == numbered(0, 30)


def test_the_last_words_are_still_sent(tmp_path: Path) -> None:
    transport = Faulty()
    one = sender(transport, tmp_path)
    one.start()
    for message in numbered(0, 500):
        one.put(message)
    one.stop()
    assert transport.arrived == numbered(0, 500)


def test_messages_of_other_processes_are_found_while_nothing_else_happens(tmp_path: Path) -> None:
    transport = Faulty()
    one = sender(transport, tmp_path)
    one.start()
    other = Spool(tmp_path, 1 << 20)
    other.put([b"deleted by hand"])
    other.seal()
    wait_for(lambda: transport.arrived == [b"deleted by hand"])
    one.stop()


def test_a_real_receiver_that_restarts_gets_every_message(tmp_path: Path) -> None:
    receiver = Receiver("tcp")
    port, first = receiver.port, receiver.messages
    one = sender(StreamTransport("127.0.0.1", port), tmp_path)
    one.start()
    for message in numbered(0, 50):
        one.put(message)
    receiver.wait(50)
    receiver.stop()
    for message in numbered(50, 100):
        one.put(message)
        time.sleep(0.001)
    with Receiver("tcp", port=port) as again:
        wait_for(lambda: set(first) | set(again.messages) == set(numbered(0, 100)))
        one.stop()
    assert (one.spool_bytes, one.dropped) == (0, 0)
