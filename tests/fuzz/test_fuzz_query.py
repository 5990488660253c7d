"""A few thousand executions, so that the harness does not rot."""

from __future__ import annotations

from tests.fuzz import driver, fuzz_query


def test_the_harness_finds_nothing() -> None:
    driver.run(fuzz_query.one_input, fuzz_query.seeds(), executions=3000)
