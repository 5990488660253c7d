"""The stop: who works may finish, who is quiet ends, who hangs is cut, and nobody is waited for too long."""

from __future__ import annotations

from threading import Thread
from types import SimpleNamespace

from fastdicom.draining import QUIET_S, Drain


class Association(SimpleNamespace):
    """One that does `work` (seconds) in messages and then releases, or is idle."""

    __hash__ = object.__hash__

    def __init__(self, world: World, *, busy_s: float = 0.0, quiet: bool = False, deaf: bool = False) -> None:
        super().__init__(deaf=deaf, stopping=False, ended_by="", until=busy_s, quiet=quiet)
        self.world = world
        self.transport = SimpleNamespace(cut=lambda: self.end("cut"))

    @property
    def idle(self) -> bool:
        return self.quiet

    @property
    def progress(self) -> int:
        return 0 if self.quiet else int(self.world.now * 100)

    def stop(self) -> None:
        self.stopping = True
        if self.quiet:
            self.end("stop")

    def end(self, how: str) -> None:
        if not self.ended_by:
            self.ended_by = how
            self.world.threads.pop(self, None)

    def tick(self) -> None:
        if not self.quiet and not self.deaf and self.world.now >= self.until:
            self.end("itself")


class World:
    """Associations and a clock that only `sleep` moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.threads: dict[Association, Thread] = {}
        self.drain = Drain(lambda: dict(self.threads), lambda: self.now, self.sleep)  # type: ignore[arg-type]

    def add(self, **how: object) -> Association:
        association = Association(self, **how)  # type: ignore[arg-type]
        self.threads[association] = Thread()
        return association

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        for association in list(self.threads):
            association.tick()


def test_who_works_may_finish() -> None:
    world = World()
    worker = world.add(busy_s=5.0)
    world.drain.let_finish(15)
    assert worker.ended_by == "itself" and not worker.stopping
    assert 5 <= world.now < 5.2


def test_who_is_quiet_ends_soon_and_who_works_is_not_touched() -> None:
    world = World()
    quiet, worker = world.add(quiet=True), world.add(busy_s=5.0)
    world.drain.let_finish(3)
    assert quiet.ended_by == "stop" and not worker.stopping
    assert QUIET_S <= 3 <= world.now < 3.2


def test_an_idle_node_does_not_wait() -> None:
    world = World()
    world.drain.let_finish(15)
    world.drain.end_messages(20)
    world.drain.cut(4)
    assert world.now == 0


def test_messages_at_hand_may_finish_after_that() -> None:
    world = World()
    worker = world.add(busy_s=8.0)
    world.drain.let_finish(3)
    world.drain.end_messages(20)
    assert worker.stopping and worker.ended_by == "itself" and world.now < 8.2


def test_what_hangs_is_cut_in_the_end() -> None:
    world = World()
    hanging = world.add(deaf=True)
    world.drain.let_finish(3)
    world.drain.end_messages(2)
    assert hanging.ended_by == "" and 5 <= world.now < 5.3
    world.drain.cut(4)
    assert hanging.ended_by == "cut"


def test_a_hurry_ends_all_waiting() -> None:
    world = World()
    hanging = world.add(deaf=True)
    world.drain.hurry()
    world.drain.let_finish(3)
    world.drain.end_messages(20)
    world.drain.cut(4)
    assert hanging.ended_by == "cut" and world.now == 0
