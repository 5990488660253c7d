"""Counts in buckets."""

from __future__ import annotations

import random

import pytest

from fastdicom.monitoring.histogram import LATENCY_BOUNDS_S, Histogram


def filled(*values: float) -> Histogram:
    histogram = Histogram((1.0, 2.0, 5.0))
    for value in values:
        histogram.add(value)
    return histogram


def test_a_bound_belongs_to_its_bucket() -> None:
    histogram = filled(0.0, 1.0, 1.1, 2.0, 5.0, 5.1)
    assert (histogram.counts, histogram.cumulative()) == ([2, 2, 1, 1], [2, 4, 5, 6])
    assert (histogram.count, histogram.total) == (6, pytest.approx(14.2))


def test_merging_adds_and_since_takes_away() -> None:
    one, two = filled(0.5, 3.0), filled(3.0, 9.0)
    earlier = one.copy()
    one.merge(two)
    assert one.counts == [1, 0, 2, 1]
    assert (one.since(earlier).counts, one.since(earlier).total) == (two.counts, two.total)


@pytest.mark.parametrize("share", [0.01, 0.25, 0.5, 0.95, 0.99, 1.0])
def test_a_quantile_lies_in_the_bucket_of_the_exact_one(share: float) -> None:
    random.seed(7)
    values = sorted(random.expovariate(100) for _ in range(1000))
    histogram = Histogram(LATENCY_BOUNDS_S)
    for value in values:
        histogram.add(value)
    exact = values[max(0, round(share * 1000) - 1)]
    upper = next(bound for bound in LATENCY_BOUNDS_S if exact <= bound)
    lower = max([0.0, *(bound for bound in LATENCY_BOUNDS_S if bound < exact)])
    found = histogram.quantile(share)
    assert found is not None and lower <= found <= upper


def test_no_observation_has_no_quantile_and_the_open_end_gives_its_bound() -> None:
    assert filled().quantile(0.5) is None
    assert filled(100.0).quantile(0.5) == 5.0
