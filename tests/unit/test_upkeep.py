"""What is done once a second goes on whatever fails, and a failure that lasts does not fill the log."""

from __future__ import annotations

import time

import pytest

from fastdicom.upkeep import SAY_AGAIN_S, Upkeep


def test_a_lasting_failure_is_told_at_its_begin_now_and_then_and_at_its_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    trouble: list[Exception] = []
    done: list[str] = []

    def fail() -> None:
        if trouble:
            raise trouble[0]

    upkeep = Upkeep({"publish the status": fail, "do the rest": lambda: done.append("rest")})
    caplog.set_level("INFO")
    upkeep.turn(0.0)
    assert caplog.messages == []
    trouble[:] = [OSError(28, "No space left on device")]
    for now in range(1, 100):
        upkeep.turn(float(now))
    assert caplog.messages == ["cannot publish the status: [Errno 28] No space left on device"]
    upkeep.turn(1.0 + SAY_AGAIN_S)
    assert len(caplog.messages) == 2
    trouble[:] = [KeyError()]
    upkeep.turn(2.0 + SAY_AGAIN_S)
    assert caplog.messages[2:] == ["cannot publish the status: KeyError"]
    trouble.clear()
    upkeep.turn(3.0 + SAY_AGAIN_S)
    upkeep.turn(4.0 + SAY_AGAIN_S)
    assert caplog.messages[3:] == ["can publish the status again"]
    assert len(done) == 104  # each time


def test_it_begins_and_ends() -> None:
    turns: list[int] = []
    upkeep = Upkeep({"count": lambda: turns.append(1)})
    upkeep.start()
    deadline = time.monotonic() + 5
    while not turns and time.monotonic() < deadline:
        time.sleep(0.01)
    upkeep.stop()
    assert turns
