"""Counts in buckets: cheap to add to (a bisection and two additions), mergeable, quantiles when asked."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from operator import add

LATENCY_BOUNDS_S = (
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0,
)  # fmt: skip
BATCH_BOUNDS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)


class Histogram:
    """Observations by size. One thread adds; who reads meanwhile sees figures that are a moment old.

    bounds: upper ends of the buckets, ascending, each included in its bucket; there is one more above them.
    """

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float] = LATENCY_BOUNDS_S) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """One observation."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def merge(self, other: Histogram) -> None:
        """All of another's observations; both have the same bounds."""
        self.counts = list(map(add, self.counts, other.counts))
        self.total += other.total

    def since(self, earlier: Histogram) -> Histogram:
        """What has been added to this one after `earlier` was copied from it."""
        fresh = Histogram(self.bounds)
        fresh.counts = [mine - theirs for mine, theirs in zip(self.counts, earlier.counts, strict=True)]
        fresh.total = self.total - earlier.total
        return fresh

    def copy(self) -> Histogram:
        """The observations so far."""
        return self.since(Histogram(self.bounds))

    @property
    def count(self) -> int:
        """Observations."""
        return sum(self.counts)

    def cumulative(self) -> list[int]:
        """How many observations each bucket and those below hold; the last is all of them."""
        return list(accumulate(self.counts))

    def quantile(self, share: float) -> float | None:
        """The value that `share` (0 to 1) of the observations do not exceed, interpolated in its bucket.

        None without observations. Above the last bound its value is that bound: no more is known.
        """
        cumulative = self.cumulative()
        if not cumulative[-1]:
            return None
        rank = share * cumulative[-1]
        place = bisect_left(cumulative, rank)
        if place >= len(self.bounds):
            return self.bounds[-1]
        below = cumulative[place - 1] if place else 0
        lower = self.bounds[place - 1] if place else 0.0
        inside = (rank - below) / max(1, self.counts[place])
        return lower + (self.bounds[place] - lower) * inside
