"""Waiting for what another thread or process does."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait_for(
    condition: Callable[[], bool],
    complaint: Callable[[], str] = lambda: "it did not happen in time",
    seconds: float = 5.0,
) -> None:
    """Poll until the condition holds; AssertionError with the complaint when it never does."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, complaint()
        time.sleep(0.005)
