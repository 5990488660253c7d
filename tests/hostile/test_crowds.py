"""Crowds (16, 17): 300 associations with a limit of 200; 50 slow peers that nobody notices."""

from __future__ import annotations

import itertools
import statistics
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support import procfs, rawpdu
from tests.support.node import fastdicom_node
from tests.support.rawdicom import (
    IMPLICIT_LE,
    VERIFICATION,
    ConnectionEnded,
    RawAssociation,
    RawConnection,
    seconds_to_echo,
)
from tests.support.rawpdu import Proposal

LIMIT, CROWD, SLOW = 200, 300, 50
LOCAL_LIMIT_EXCEEDED = (2, 3, 2)
PROPOSAL = Proposal(1, VERIFICATION, (IMPLICIT_LE,))
REQUEST = rawpdu.associate_rq([PROPOSAL])


def test_class_17_300_at_once_with_a_limit_of_200(tmp_path: Path) -> None:
    changes = {"node": {"max_associations": LIMIT}}
    with fastdicom_node(tmp_path, changes) as node, ExitStack() as stack:
        crowd = [stack.enter_context(RawAssociation.open(node.port, timeout_s=60)) for _ in range(CROWD)]
        for one in crowd:  # all of them before any answer is read
            one.send(REQUEST)
            one.contexts = {1: PROPOSAL}
        verdicts = []
        seated = []
        for one in crowd:
            kind, body = one.read_pdu()
            verdicts.append(tuple(body[1:4]) if kind == rawpdu.ASSOCIATE_RJ else kind)
            if kind == rawpdu.ASSOCIATE_AC:
                one.accepted = {1: IMPLICIT_LE}
                seated.append(one)
        assert verdicts.count(rawpdu.ASSOCIATE_AC) == LIMIT
        assert verdicts.count(LOCAL_LIMIT_EXCEEDED) == CROWD - LIMIT
        for _ in range(2):
            assert [one.echo() for one in seated] == [0] * LIMIT
        assert procfs.resident_mb(node.pid) < 400
        for one in seated:
            one.release()
        assert seconds_to_echo(node.port) < 5


def drip(crowd: list[RawConnection], stop: threading.Event) -> None:
    """One byte a second from each."""
    for at in itertools.count():
        for connection in crowd:
            try:
                connection.send(REQUEST[at : at + 1])
            except (ConnectionEnded, OSError):
                continue  # the node has ended it
        if stop.wait(1):
            return


def stay_silent(crowd: list[RawConnection], stop: threading.Event) -> None:
    """Say nothing."""
    stop.wait()


@pytest.mark.parametrize("behaviour", [stay_silent, drip])
def test_class_16_fifty_slow_connections_do_not_slow_the_others_measurably(
    tmp_path: Path, behaviour: Callable[[list[RawConnection], threading.Event], None]
) -> None:
    with fastdicom_node(tmp_path) as node, ExitStack() as stack:

        def median() -> float:
            return statistics.median(seconds_to_echo(node.port) for _ in range(60))

        median()  # warm
        cpu = procfs.cpu_seconds(node.pid)
        alone = median()
        cpu_alone = procfs.cpu_seconds(node.pid) - cpu
        crowd = [stack.enter_context(RawConnection.open(node.port)) for _ in range(SLOW)]
        stop = threading.Event()
        slow = threading.Thread(target=behaviour, args=(crowd, stop))
        slow.start()
        try:
            cpu = procfs.cpu_seconds(node.pid)
            beside = min(median(), median())  # of two: others use this machine too
            cpu_beside = (procfs.cpu_seconds(node.pid) - cpu) / 2
        finally:
            stop.set()
            slow.join()
        assert beside < 2 * alone + 0.02, (alone, beside)
        assert cpu_beside < 1.5 * cpu_alone + 0.1, (cpu_alone, cpu_beside)
