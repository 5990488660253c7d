"""Half-open and slow peers (16): whoever says nothing, or one byte a second, harms only itself."""

from __future__ import annotations

import itertools
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.hostile.harness import ECHO_SECONDS, Target, fresh_uids
from tests.support import rawpdu
from tests.support.rawcommand import Field, request
from tests.support.rawdicom import (
    CT_IMAGE_STORAGE,
    EXPLICIT_LE,
    IMPLICIT_LE,
    VERIFICATION,
    ConnectionEnded,
    RawAssociation,
    RawConnection,
    seconds_to_echo,
)
from tests.support.rawpdu import Proposal

ARTIM, IDLE = 3.0, 4.0
MARGIN = 4.0
CHANGES = {
    "timeouts": {"artim": f"{ARTIM:.0f} s", "idle": f"{IDLE:.0f} s"},
    "limits": {"message_stall": f"{IDLE:.0f} s", "send_stall": f"{IDLE:.0f} s"},
}
CROWD = 50
REQUEST = rawpdu.associate_rq([Proposal(1, VERIFICATION, (IMPLICIT_LE,))])


def check_echo_of_others(target: Target) -> None:
    """Five echoes by another peer; their median is what that peer feels."""
    times = [seconds_to_echo(target.port, target.peer.ae_title) for _ in range(5)]
    assert statistics.median(times) < ECHO_SECONDS / 4, times
    assert max(times) < ECHO_SECONDS, times


def silence(connection: RawConnection) -> None:
    """Say nothing after connect."""


def half_a_head(connection: RawConnection) -> None:
    """Stop inside the PDU head."""
    connection.send(REQUEST[:3])


def half_a_request(connection: RawConnection) -> None:
    """Stop inside the A-ASSOCIATE-RQ."""
    connection.send(REQUEST[:100])


SLOW_STARTS = [silence, half_a_head, half_a_request]


@contextmanager
def crowd(
    target: Target, behaviour: Callable[[RawConnection], None], count: int
) -> Iterator[list[RawConnection]]:
    """`count` connections that did this and now wait."""
    with ExitStack() as stack:
        connections = [stack.enter_context(RawConnection.open(target.port)) for _ in range(count)]
        for connection in connections:
            behaviour(connection)
        yield connections


@pytest.mark.parametrize("count", [1, CROWD])
@pytest.mark.parametrize("behaviour", SLOW_STARTS, ids=lambda one: one.__name__)
def test_class_16_silent_peers_do_not_stop_others(
    target: Target, behaviour: Callable[[RawConnection], None], count: int
) -> None:
    with target.unharmed(), crowd(target, behaviour, count):
        check_echo_of_others(target)


@pytest.mark.parametrize("behaviour", SLOW_STARTS, ids=lambda one: one.__name__)
def test_class_16_silent_peer_is_dropped_when_artim_ends(
    target: Target, behaviour: Callable[[RawConnection], None]
) -> None:
    with target.unharmed(), crowd(target, behaviour, 1) as (connection,):
        start = time.monotonic()
        connection.read_to_end(ARTIM + MARGIN)
        assert time.monotonic() - start > ARTIM / 2, "dropped before its time"


def test_class_16_request_must_be_whole_within_artim_however_steadily_it_drips(target: Target) -> None:
    with target.unharmed(), RawConnection.open(target.port) as connection:
        start = time.monotonic()
        with pytest.raises(ConnectionEnded):
            for at in itertools.count():
                connection.send(REQUEST[at : at + 1])
                time.sleep(0.1)
                assert time.monotonic() - start < ARTIM + MARGIN, "a dripping request keeps its slot"


def test_class_16_fifty_peers_with_one_byte_a_second_do_not_stop_others(target: Target) -> None:
    stop = threading.Event()

    def drip(connections: list[RawConnection]) -> None:
        for at in itertools.count(3):
            for connection in connections:
                try:
                    connection.send(REQUEST[at : at + 1])
                except (ConnectionEnded, OSError):
                    continue  # the node ended it when ARTIM did
            if stop.wait(1):
                return

    with target.unharmed(), crowd(target, half_a_head, CROWD) as connections:
        dripping = threading.Thread(target=drip, args=(connections,))
        dripping.start()
        try:
            for _ in range(3):
                check_echo_of_others(target)
                time.sleep(0.5)
        finally:
            stop.set()
            dripping.join()


def stalled_store(target: Target) -> RawAssociation:
    """An association that stopped in the middle of a Data Set."""
    uids = fresh_uids()
    association = target.associate()
    context = association.context_for(CT_IMAGE_STORAGE, EXPLICIT_LE)
    command = request(Field.C_STORE, CT_IMAGE_STORAGE, 1, data=True, more={0x1000: uids[2]})
    association.send_command(context, command)
    association.send_data(context, bytes(50_000), last=False)
    return association


def test_class_16_twenty_stalled_stores_do_not_stop_others(target: Target) -> None:
    with target.unharmed(), ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(stalled_store(target))
        check_echo_of_others(target)


def test_class_16_stalled_store_is_dropped_and_leaves_nothing(target: Target) -> None:
    with target.unharmed(), stalled_store(target) as association:
        association.read_to_end(IDLE + MARGIN)


def test_class_16_idle_association_is_dropped(target: Target) -> None:
    with target.unharmed(), target.associate() as association:
        start = time.monotonic()
        association.read_to_end(IDLE + MARGIN)
        assert time.monotonic() - start > IDLE / 2, "dropped before its time"


def test_class_16_association_that_talks_is_not_idle(target: Target) -> None:
    with target.unharmed(), target.associate() as association:
        for _ in range(6):
            assert association.echo() == 0
            time.sleep(IDLE / 4)
        association.release()


def test_class_16_peer_that_does_not_close_after_release_is_dropped(target: Target) -> None:
    with target.unharmed(), target.associate() as association:
        association.send(rawpdu.release_rq())
        assert association.read_to_end(ARTIM + MARGIN) == [rawpdu.RELEASE_RP]


def test_class_16_peer_that_does_not_close_after_an_abort_of_ours_is_dropped(target: Target) -> None:
    with target.unharmed(), RawConnection.open(target.port) as connection:
        connection.send(rawpdu.pdu(0x77, b""))
        connection.read_to_end(ARTIM + MARGIN)


def test_class_16_peer_that_never_reads_its_answers_harms_only_itself(target: Target) -> None:
    echo = b"".join(rawpdu.fragments(1, request(Field.C_ECHO, VERIFICATION, 1, data=False), command=True))
    with target.unharmed(), target.associate(timeout_s=1.0) as association:
        association.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        try:
            for _ in range(200):
                association.send(echo * 1000)
        except (TimeoutError, ConnectionEnded):
            pass  # it stopped reading us, as it should, or ended the association
        check_echo_of_others(target)
