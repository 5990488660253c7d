"""How long other threads are kept from running."""

from __future__ import annotations

import time
from threading import Thread


def gaps_beside(thread: Thread, every_s: float) -> list[float]:
    """Run `thread`, and take a turn beside it every so often; the seconds between two turns, sorted."""
    gaps, last = [], time.perf_counter()
    thread.start()
    while thread.is_alive():
        time.sleep(every_s)
        now = time.perf_counter()
        gaps.append(now - last)
        last = now
    return sorted(gaps)
