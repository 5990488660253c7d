"""A short run of every harness of fuzz_dataset.py, the same inputs every time."""

from __future__ import annotations

import pytest

from tests.fuzz.fuzz_dataset import FOUND, TARGETS, run


@pytest.mark.parametrize("name", TARGETS)
def test_damaged_input_is_taken_or_refused(name: str) -> None:
    taken = sum(run(TARGETS[name], seed) for seed in range(1500))
    assert 0 < taken < 1500


@pytest.mark.parametrize(("name", "seed"), [(name, seed) for name, seeds in FOUND.items() for seed in seeds])
def test_what_was_found_once_stays_fixed(name: str, seed: int) -> None:
    run(TARGETS[name], seed)
