"""Association floods and leaks (17): a limit that is kept, and everything given back afterwards."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from tests.hostile.harness import Target
from tests.support import procfs, rawpdu
from tests.support.rawdicom import (
    IMPLICIT_LE,
    VERIFICATION,
    Aborted,
    ConnectionEnded,
    RawAssociation,
    RawConnection,
    Rejected,
)
from tests.support.rawpdu import Proposal
from tests.support.waiting import wait_for

LIMIT = 20
CHANGES = {"node": {"max_associations": LIMIT}, "timeouts": {"artim": "10 s", "idle": "60 s"}}
LOCAL_LIMIT_EXCEEDED = (2, 3, 2)
PROPOSAL = [Proposal(1, VERIFICATION, (IMPLICIT_LE,))]


def open_many(
    target: Target, stack: ExitStack, count: int
) -> tuple[list[RawAssociation], list[tuple[int, int, int]]]:
    """Open `count` associations; those accepted, and the verdicts of those rejected."""
    accepted, rejected = [], []
    for number in range(count):
        try:
            calling = f"FLOOD{number}"
            accepted.append(stack.enter_context(RawAssociation.to(target.port, PROPOSAL, calling=calling)))
        except Rejected as error:
            rejected.append(error.verdict)
    return accepted, rejected


def check_all_slots_free(target: Target) -> None:
    """After a moment exactly LIMIT associations fit again."""

    def fits() -> bool:
        with ExitStack() as stack:
            accepted, _ = open_many(target, stack, LIMIT)
            for association in accepted:
                association.release()
            return len(accepted) == LIMIT

    wait_for(fits, lambda: "slots are lost", seconds=10)


def test_class_17_above_the_limit_is_rejected_and_the_accepted_all_work(target: Target) -> None:
    with target.unharmed(), ExitStack() as stack:
        accepted, rejected = open_many(target, stack, LIMIT * 3)
        assert len(accepted) == LIMIT
        assert set(rejected) == {LOCAL_LIMIT_EXCEEDED}
        for association in accepted:
            assert association.echo() == 0
        for association in accepted:
            association.release()
        check_all_slots_free(target)


def test_class_17_one_free_slot_is_enough_for_the_next(target: Target) -> None:
    check_all_slots_free(target)
    with target.unharmed(), ExitStack() as stack:
        accepted, _ = open_many(target, stack, LIMIT)
        assert len(accepted) == LIMIT
        accepted.pop().release()

        def fits() -> bool:
            accepted.extend(open_many(target, stack, 1)[0])
            return len(accepted) == LIMIT

        wait_for(fits, lambda: "the slot was not given back", seconds=10)
        for association in accepted:
            association.abort()
        check_all_slots_free(target)  # the node hears of an abort when its threads have their turn


def aborted(target: Target) -> None:
    """Associate and abort."""
    try:
        RawAssociation.to(target.port, PROPOSAL).abort()
    except Rejected:
        time.sleep(0.005)  # slots of the last ones are about to be freed


def rejected(target: Target) -> None:
    """Ask for an application context that does not exist."""
    with RawConnection.open(target.port) as connection:
        connection.send(rawpdu.associate_rq(PROPOSAL, application_context="1.2.3.4"))
        assert connection.read_pdu()[0] in (rawpdu.ASSOCIATE_RJ, rawpdu.ABORT)


def connected(target: Target) -> None:
    """Connect and close."""
    RawConnection.open(target.port).close()


def reset(target: Target) -> None:
    """Connect, send half a request, reset."""
    connection = RawConnection.open(target.port)
    connection.send(rawpdu.associate_rq(PROPOSAL)[:50])
    connection.reset()


def malformed(target: Target) -> None:
    """Send what is no A-ASSOCIATE-RQ and wait for the end."""
    with RawConnection.open(target.port) as connection:
        connection.send(rawpdu.pdu(rawpdu.ASSOCIATE_RQ, b"garbage"))
        connection.read_to_end(10)


FLOODS = [(aborted, 500), (rejected, 300), (connected, 2000), (reset, 500), (malformed, 300)]


@pytest.mark.parametrize(("attack", "count"), FLOODS, ids=[attack.__name__ for attack, _ in FLOODS])
def test_class_17_flood_leaves_no_slot_descriptor_or_thread_behind(
    target: Target, attack: Callable[[Target], None], count: int
) -> None:
    pid = target.peer.pid
    with target.unharmed(memory_mb=32):
        check_all_slots_free(target)
        before = procfs.descriptor_count(pid), procfs.thread_count(pid)
        for _ in range(count):
            attack(target)
        check_all_slots_free(target)
        wait_for(
            lambda: procfs.descriptor_count(pid) <= before[0] + 2,
            lambda: f"{procfs.descriptor_count(pid)} descriptors, {before[0]} before",
        )
        wait_for(
            lambda: procfs.thread_count(pid) <= before[1] + 2,
            lambda: f"{procfs.thread_count(pid)} threads, {before[1]} before",
        )


def test_class_17_malformed_connections_do_not_use_up_the_slots(target: Target) -> None:
    with target.unharmed(), ExitStack() as stack:
        for _ in range(LIMIT * 3):
            connection = stack.enter_context(RawConnection.open(target.port))
            connection.send(rawpdu.pdu(rawpdu.ASSOCIATE_RQ, b"garbage"))  # and never close
        check_all_slots_free(target)


def test_class_17_memory_stays_where_it_is_over_many_associations(target: Target) -> None:
    def thousand() -> None:
        for _ in range(1000):
            with RawAssociation.to(target.port, PROPOSAL) as association:
                assert association.echo() == 0
                association.release()

    with target.unharmed():
        thousand()  # warm
        before = procfs.resident_mb(target.peer.pid)
        thousand()
        assert procfs.resident_mb(target.peer.pid) - before < 8


def test_class_17_refusal_is_told_to_peers_that_connect_at_once(target: Target) -> None:
    """All connect first, then all send: nobody is left without an answer."""
    request = rawpdu.associate_rq(PROPOSAL)
    with target.unharmed(), ExitStack() as stack:
        connections = [stack.enter_context(RawConnection.open(target.port)) for _ in range(LIMIT * 3)]
        answers = []
        for connection in connections:
            try:
                connection.send(request)
                answers.append(connection.read_pdu()[0])
            except (ConnectionEnded, Aborted):
                answers.append(0)
        assert answers.count(rawpdu.ASSOCIATE_AC) == LIMIT
        assert answers.count(rawpdu.ASSOCIATE_RJ) == LIMIT * 2
        for connection in connections:
            connection.close()
        check_all_slots_free(target)
