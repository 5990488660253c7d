"""Whether the wall clock may be believed: after a leap that time itself cannot explain, not for a day.

A clock that is suddenly years ahead makes every study look old. It costs nothing to let the age rule rest
until somebody, or NTP, had time to notice; it would cost the archive not to.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

SETTLE_S = 86400.0
TOLERATED_S = 3600.0  # daylight saving set by hand, a first NTP correction


class LeapWatch:
    """Compares the wall clock with the one that only ticks.

    remembered: the wall clock when an earlier process last looked, None for none: a machine that was off for
    longer than SETTLE_S looks like a leap, and waits as long. remember: keeps the wall clock for the next.
    """

    def __init__(
        self,
        remembered: float | None,
        remember: Callable[[float], None],
        *,
        wall: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall = wall
        self._ticks = ticks
        self._remember = remember
        self._last_wall = wall()
        self._last_ticks = ticks()
        self._kept = float("-inf")
        self._rests_until = float("-inf")
        if remembered is not None and self._last_wall - remembered > SETTLE_S:
            self._rest(self._last_wall - remembered)

    @property
    def settled(self) -> bool:
        """False for a day after a leap ahead. To be asked often; keeps the clock once an hour."""
        wall, ticks = self._wall(), self._ticks()
        leap = (wall - self._last_wall) - (ticks - self._last_ticks)
        self._last_wall, self._last_ticks = wall, ticks
        if leap > TOLERATED_S:
            self._rest(leap)
        if ticks < self._rests_until:
            return False  # and nothing is remembered: a restart must not make the leap believable
        if ticks - self._kept >= TOLERATED_S:
            self._kept = ticks
            self._remember(wall)
        return True

    def _rest(self, leap: float) -> None:
        self._rests_until = self._ticks() + SETTLE_S
        log.error(
            "the clock leapt ahead by %.1f hours: nothing is deleted for its age for %d hours",
            leap / 3600, SETTLE_S // 3600,
        )  # fmt: skip
