"""A short run of every harness of fuzz_dataset.py, the same inputs every time."""

from __future__ import annotations

import pytest

from tests.fuzz.fuzz_dataset import TARGETS, run


@pytest.mark.parametrize("name", TARGETS)
def test_damaged_input_is_taken_or_refused(name: str) -> None:
    taken = sum(run(TARGETS[name], seed) for seed in range(1500))
    assert 0 < taken < 1500
