"""What counts as stuck: only what has had time to move and did not."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from fastdicom.net.connection import Timing
from fastdicom.sections.limits import Limits
from fastdicom.vitals import Progress, Vitals, association_progress, progress_of


class World:
    """Something to look at, and a clock."""

    def __init__(self, **found: Progress) -> None:
        self.found = dict(found)
        self.now = 100.0
        self.vitals = Vitals(lambda: self.found, lambda: self.now)

    def after(self, seconds: float, step: float = 5.0) -> list[str]:
        """What is stuck after so long, looked at every `step` seconds."""
        stuck: list[str] = []
        while seconds > 0:
            self.now += min(step, seconds)
            seconds -= step
            stuck = self.vitals.stuck()
        return stuck


def test_what_does_not_move_for_longer_than_it_may_is_stuck() -> None:
    world = World(pump=Progress(1, 30.0))
    world.vitals.stuck()
    assert world.after(30) == []
    assert world.after(5) == ["pump has not moved for 35 s"]


def test_what_moves_is_not() -> None:
    world = World(pump=Progress(0, 30.0))
    for mark in range(1, 20):
        world.found["pump"] = Progress(mark, 30.0)
        assert world.after(25) == []


def test_what_moves_again_is_well_again() -> None:
    world = World(pump=Progress(1, 10.0))
    assert world.after(40)
    world.found["pump"] = Progress(2, 10.0)
    assert world.after(5) == []


def test_what_has_gone_is_forgotten() -> None:
    world = World(pump=Progress(1, 10.0))
    assert world.after(40)
    world.found.clear()
    assert world.after(5) == []
    world.found["pump"] = Progress(1, 10.0)
    assert world.after(10) == []


def test_a_machine_that_was_stopped_is_no_stuck_node() -> None:
    world = World(pump=Progress(1, 30.0))
    world.vitals.stuck()
    assert world.after(86_400, step=86_400) == []


def test_the_log_tells_once_where_it_hangs(caplog: pytest.LogCaptureFixture) -> None:
    world = World(pump=Progress(1, 10.0, threading.get_ident()))
    world.after(60)
    (record,) = caplog.records
    assert "test_the_log_tells_once" in record.getMessage()


class Connection(SimpleNamespace):
    """As far as progress goes."""

    __hash__ = object.__hash__


def connection(idle: bool, progress: int = 5) -> Connection:
    timing = Timing(artim_s=30, idle_s=60, connect_s=10, response_s=60, message_stall_s=20, send_stall_s=40)
    return Connection(number=3, name="CT1", idle=idle, progress=progress, timing=timing)


@pytest.mark.parametrize(("idle", "limit"), [(True, 60 + 300), (False, 70 + 300)])
def test_an_association_may_wait_as_long_as_its_times_say(idle: bool, limit: float) -> None:
    assert association_progress(connection(idle), 300, None).limit_s == limit  # type: ignore[arg-type]


def test_a_committer_has_to_move_only_while_somebody_waits() -> None:
    acceptor = SimpleNamespace(turns=9, thread_identity=1)
    for busy in (True, False):
        committer = SimpleNamespace(busy=busy, turns=4)
        found = progress_of(acceptor, committer, {}, Limits(commit_stall_s=7))  # type: ignore[arg-type]
        assert found.get("the committer") == (Progress(4, 7) if busy else None)
        assert found["the acceptor"].mark == 9


def test_associations_are_looked_at_one_by_one() -> None:
    committer = SimpleNamespace(busy=False, turns=0)
    threads = {connection(False): SimpleNamespace(ident=17)}
    found = progress_of(None, committer, threads, Limits())  # type: ignore[arg-type]
    assert found == {"association 3 with CT1": Progress((False, 5), 370.0, 17)}
