"""The service's own decisions. test_cli_serve.py runs it as a process, tests/systemd under real systemd."""

from __future__ import annotations

import itertools
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

import fastdicom
from fastdicom import service
from fastdicom.config import Config
from fastdicom.service import Service, _Patience, status_line

FIGURES: dict[str, Any] = {
    "associations": {"open": 3},
    "counts": {"instances": 1200, "bytes": 3 << 30},
    "totals": {"stored": 40},
    "queues": {"commit": 2},
    "free_bytes": 5 << 29,
    "health": {"reasons": []},
}


class Told:
    """Stands for the notifier."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []

    def extend(self, seconds: float, status: str) -> None:
        self.said.append(("extend", status))

    def alive(self, status: str) -> None:
        self.said.append(("alive", status))

    def status(self, text: str) -> None:
        self.said.append(("status", text))

    def stopping(self, status: str) -> None:
        self.said.append(("stopping", status))


class Engine:
    """Stands for the engine."""

    def __init__(self, *stuck: str) -> None:
        self._stuck = list(stuck)

    def stuck(self) -> list[str]:
        return self._stuck

    def status(self) -> dict[str, Any]:
        if self._stuck:
            raise OSError("no disk")
        return FIGURES


def a_service() -> Service:
    return Service(Config, lambda source, mistake: str(mistake))


def test_the_status_line_has_what_an_operator_wants() -> None:
    assert status_line(FIGURES, 12.34) == (
        "3 associations, 12.3 changes/s, 2 waiting to be committed; 1200 instances, 3.0 GiB; 2.5 GiB free"
    )


def test_what_is_wrong_with_the_node_comes_first() -> None:
    line = status_line(FIGURES | {"health": {"reasons": ["the disk is full"]}}, 0.0)
    assert line.startswith("not healthy; the disk is full; 3 associations, ")


def test_a_real_engine_has_the_figures_that_the_line_shows(tmp_path: Path) -> None:
    with fastdicom.Engine(Config(port=0, archive=tmp_path / "archive")) as engine:
        line = a_service()._status(engine)
        assert line.startswith("0 associations, 0.0 changes/s, 0 waiting") and engine.stuck() == []


def test_a_node_that_gets_on_feeds_the_watchdog() -> None:
    told = Told()
    a_service()._beat(Engine(), told)  # type: ignore[arg-type]
    ((how, status),) = told.said
    assert how == "alive" and status.startswith("3 associations")


def test_a_stuck_node_does_not_and_says_why() -> None:
    told = Told()
    a_service()._beat(Engine("the committer has not moved for 61 s"), told)  # type: ignore[arg-type]
    assert told.said == [("status", "stuck: the committer has not moved for 61 s")]


def test_figures_that_cannot_be_read_do_not_end_the_service() -> None:
    assert a_service()._status(Engine("x")) == "the figures cannot be read: no disk"  # type: ignore[arg-type]


def test_recovery_asks_for_time_as_long_as_it_gets_on(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count(100, 0.5)
    monkeypatch.setattr(service.time, "monotonic", lambda: next(clock))
    told = Told()
    patience = _Patience(told, "recovering")  # type: ignore[arg-type]
    for _ in range(12):
        patience.progress()
    assert told.said == [("extend", f"recovering: {count} files looked at") for count in (1, 5, 9)]


class Stopping(Engine):
    """An engine whose stop is not under way at once, and lasts until somebody hurries it."""

    connections = 1

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.hurried = threading.Event()

    def stop(self, timeout_s: float, drain_s: float) -> None:
        assert self.hurried.wait(10)

    def hurry(self) -> bool:
        self.asked += 1
        if self.asked == 3:
            self.hurried.set()
        return self.asked >= 3


def test_a_second_signal_is_not_lost_before_the_stop_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "_STOP_LOOK_S", 0.01)
    stopping, told = Stopping(), Told()
    stopped = a_service()
    stopped._config = Config()
    for number in (
        signal.SIGHUP,
        signal.SIGINT,
        signal.SIGHUP,
    ):  # a reload hurries nobody
        stopped._caught(number, None)
    stopped._stop(stopping, told)  # type: ignore[arg-type]
    assert stopping.asked == 3
    assert told.said[0] == ("stopping", "stopping: associations may finish")
