"""Alerts: the first few are told, a flood is counted, and nothing is forgotten."""

from __future__ import annotations

from fastdicom.audit.rate import FIRST, NODES_MAX, PERIOD_S, RateLimit


def test_a_flood_is_told_a_few_times_then_once_a_minute_with_its_size() -> None:
    limit = RateLimit(1000)
    told = [limit.admit("limit", "10.0.0.9", now / 100) for now in range(6000)]
    assert told[:FIRST] == [0] * FIRST
    assert told[FIRST:] == [None] * (6000 - FIRST)
    assert limit.admit("limit", "10.0.0.9", 60.1) == 6000 - FIRST
    assert limit.admit("limit", "10.0.0.9", 60.2) is None
    assert limit.suppressed == 6000 - FIRST + 1


def test_one_flood_does_not_silence_others() -> None:
    limit = RateLimit(1000)
    for _ in range(500):
        limit.admit("limit", "10.0.0.9", 1.0)
    assert limit.admit("limit", "10.0.0.8", 1.0) == 0
    assert limit.admit("protocol", "10.0.0.9", 1.0) == 0


def test_a_flood_that_is_over_is_told_as_a_sum_once() -> None:
    limit = RateLimit(1000)
    for _ in range(FIRST + 7):
        limit.admit("limit", "10.0.0.9", 1.0)
    assert limit.due(2.0) == []
    assert limit.due(2.0 + PERIOD_S) == [("limit", "10.0.0.9", 7)]
    assert limit.due(3.0 + PERIOD_S) == []


def test_all_together_have_a_ceiling_a_minute() -> None:
    limit = RateLimit(10)
    told = [limit.admit("unknown", f"10.0.{node >> 8}.{node & 255}", 1.0) for node in range(5000)]
    assert sum(one is not None for one in told) == 10
    assert limit.admit("unknown", "10.9.9.9", 62.0) == 0


def test_memory_does_not_grow_with_the_nodes() -> None:
    limit = RateLimit(10)
    for node in range(3 * NODES_MAX):
        limit.admit("unknown", str(node), 1.0)
    assert len(limit._floods) == NODES_MAX
