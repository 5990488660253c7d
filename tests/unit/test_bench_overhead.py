"""bench/overhead.py runs; its figures mean nothing here."""

from __future__ import annotations

from bench import overhead


def test_it_measures_every_variant() -> None:
    assert set(overhead.events(count=100)) == set(overhead.VARIANTS)
    cpu = overhead.stores(objects=3, rounds=2, size=1024)
    assert {name: len(samples) for name, samples in cpu.items()} == dict.fromkeys(overhead.VARIANTS, 2)
