"""Threads that serve one connection after the other."""

from __future__ import annotations

import threading
import time

import pytest

from fastdicom.net import crew as crew_module
from fastdicom.net.crew import IDLE_MAX, Crew


def soon() -> float:
    return time.monotonic() + 10


def ident_of_a_job(crew: Crew) -> int:
    found: list[int] = []
    crew.run(lambda: found.append(threading.get_ident()))
    assert crew.wait(soon())
    return found[0]


def test_the_next_job_gets_the_same_thread() -> None:
    crew = Crew()
    first = ident_of_a_job(crew)
    assert all(ident_of_a_job(crew) == first for _ in range(20))
    crew.close()


def test_no_job_waits_for_another() -> None:
    crew = Crew()
    count = IDLE_MAX + 5
    together = threading.Barrier(count + 1)
    for _ in range(2):  # on new threads, then on those that stayed and some new ones
        for _ in range(count):
            crew.run(lambda: together.wait(10) and None)
        together.wait(10)
        assert crew.wait(soon())
    crew.close()


def test_waiting_ends_at_the_deadline_while_a_job_runs() -> None:
    crew = Crew()
    go = threading.Event()
    crew.run(lambda: go.wait(10) and None)
    assert not crew.wait(time.monotonic() + 0.01)
    go.set()
    assert crew.wait(soon())
    crew.close()


def test_threads_end_with_the_crew() -> None:
    crew = Crew()
    go = threading.Event()
    threads: list[threading.Thread] = []
    crew.run(lambda: threads.append(threading.current_thread()))
    assert crew.wait(soon())
    crew.run(lambda: threads.append(threading.current_thread()))
    crew.run(lambda: go.wait(10) and threads.append(threading.current_thread()))
    crew.close()
    go.set()
    assert crew.wait(soon())
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()


def test_a_thread_that_cannot_start_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(target: object, name: str) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(crew_module, "start_thread", none)
    crew = Crew()
    with pytest.raises(RuntimeError):
        crew.run(lambda: None)
    assert crew.wait(soon())
